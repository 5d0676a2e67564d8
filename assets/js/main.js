// Every page loads this one module; each of its parts does nothing where it finds nothing to do.

import { start as ask } from "./ask.js";
import { start as chart } from "./chart.js";
import { start as complete } from "./complete.js";
import { start as confirm } from "./confirm.js";
import { start as filter } from "./filter.js";
import { start as keys } from "./keys.js";
import { start as live } from "./live.js";
import { start as passkey } from "./passkey.js";
import { start as preferences } from "./preferences.js";
import { start as rows } from "./rows.js";
import { start as select } from "./select.js";
import { start as swap } from "./swap.js";
import { start as tail } from "./tail.js";
import { start as times } from "./times.js";
import { start as told } from "./told.js";

for (const start of [preferences, times, select, confirm, swap, rows, filter, keys, chart, complete, ask, tail, told, live, passkey]) start();
