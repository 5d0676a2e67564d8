// Draws the world map once: one path for each country, named by its ISO 3166-1 alpha-2 code.
//
//     npm install && npm run draw && rm -r node_modules
//
// The shapes are Natural Earth 1:110 m (public domain) as packed by world-atlas. d3-geo cuts their rings at the
// antimeridian and projects them with Equal Earth, so that no country looks larger than it is. Coordinates are
// whole numbers in a field 2000 wide, written as differences, which keeps the file small.
// src/web/draw/map.rs projects points with the same four numbers; they are printed to stderr to be compared.

import { readFileSync } from "node:fs";
import { geoEqualEarth, geoPath } from "d3-geo";
import { feature } from "topojson-client";

const WIDTH = 2000;
const NORTH = 83.7;
const SOUTH = -56;
const LEAST_AREA = 12;

const alpha2 = new Map(
  readFileSync(new URL("codes.txt", import.meta.url), "utf8")
    .split("\n").filter((line) => /^\d/.test(line)).map((line) => line.split(" ")),
);
// Natural Earth gives three disputed lands no number of ISO's; Kosovo has the code people use for it, the other
// two are drawn as land without a name.
const unnumbered = new Map([["Kosovo", "XK"], ["N. Cyprus", ""], ["Somaliland", ""]]);

const atlas = JSON.parse(readFileSync(new URL(import.meta.resolve("world-atlas/countries-110m.json"))));
const countries = feature(atlas, atlas.objects.countries).features
  .filter((country) => country.properties.name !== "Antarctica");

const projection = geoEqualEarth().fitWidth(WIDTH, { type: "Sphere" }).precision(0.5);
const top = Math.floor(projection([0, NORTH])[1]);
projection.translate([projection.translate()[0], projection.translate()[1] - top]);
const height = Math.ceil(projection([0, SOUTH])[1]);
console.error({ scale: projection.scale(), translate: projection.translate(), height });
for (const point of [[0, 0], [10.75, 59.91], [-122.42, 37.77], [151.21, -33.87]]) {
  console.error(point, projection(point));
}

const shapes = countries.map((country) => {
  const name = country.properties.name;
  const id = alpha2.get(country.id) ?? unnumbered.get(name);
  if (id === undefined) throw new Error(`no alpha-2 code for ${country.id} ${name}`);
  return `<path${id && ` id="${id}"`} d="${small(geoPath(projection)(country))}"/>`;
});
console.log(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}"><g id="land">\n` +
  `${shapes.sort().join("\n")}\n</g></svg>`,
);

/** Rounds a path to whole numbers, drops points and islands that vanish, and writes differences. */
function small(path) {
  return path.split("Z").filter(Boolean).map((ring) => {
    const points = ring.slice(1).split("L")
      .map((pair) => pair.split(",").map(Math.round))
      .filter(([x, y], at, all) => at === 0 || x !== all[at - 1][0] || y !== all[at - 1][1]);
    return Math.abs(area(points)) < LEAST_AREA ? "" : relative(points);
  }).join("");
}

function area(points) {
  return points.reduce((sum, [x, y], at) => {
    const [nextX, nextY] = points[(at + 1) % points.length];
    return sum + (x * nextY - nextX * y) / 2;
  }, 0);
}

function relative(points) {
  let [lastX, lastY] = points[0];
  const steps = points.slice(1).map(([x, y]) => {
    const step = `${x - lastX}${y - lastY < 0 ? "" : " "}${y - lastY}`;
    [lastX, lastY] = [x, y];
    return step;
  });
  const line = steps.map((step, at) => (at > 0 && step[0] !== "-" ? " " : "") + step).join("");
  return `M${points[0][0]} ${points[0][1]}l${line}z`;
}
