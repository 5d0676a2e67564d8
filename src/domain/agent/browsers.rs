//! Which browser it is: the product names of the `User-Agent`, most particular first, because every browser
//! claims to be its ancestors as well.

use super::{
    hints::Hints,
    programs::leading_label,
    text::{Text, joined},
};

/// Pages shown inside an application: its mark, where its version stands, its name.
const IN_APP: &[(&str, &str, &str)] = &[
    ("FBAN/MessengerForiOS", "FBAV/", "Messenger"),
    ("FBAN/MessengerLiteForiOS", "FBAV/", "Messenger"),
    ("FB_IAB/Orca-Android", "FBAV/", "Messenger"),
    ("FB_IAB/MESSENGER", "FBAV/", "Messenger"),
    ("Instagram ", "Instagram ", "Instagram"),
    ("Barcelona ", "Barcelona ", "Threads"),
    ("FBAN/", "FBAV/", "Facebook"),
    ("FB_IAB/", "FBAV/", "Facebook"),
    ("FBAV/", "FBAV/", "Facebook"),
    ("musical_ly", "", "TikTok"),
    ("trill_", "", "TikTok"),
    ("BytedanceWebview/", "", "TikTok"),
    ("[LinkedInApp]", "[LinkedInApp]/", "LinkedIn"),
    ("LinkedInApp", "LinkedInApp/", "LinkedIn"),
    ("Snapchat/", "Snapchat/", "Snapchat"),
    ("Snapchat ", "Snapchat ", "Snapchat"),
    ("[Pinterest/", "", "Pinterest"),
    ("MicroMessenger/", "MicroMessenger/", "WeChat"),
    ("KAKAOTALK", "KAKAOTALK ", "KakaoTalk"),
    ("Line/", "Line/", "LINE"),
    ("Twitter for iPhone", "Twitter for iPhone/", "X"),
    ("TwitterAndroid", "TwitterAndroid/", "X"),
    ("GSA/", "GSA/", "Google Search App"),
    ("Slack/", "Slack/", "Slack"),
    ("Slack_SSB/", "Slack_SSB/", "Slack"),
    ("Teams/", "Teams/", "Microsoft Teams"),
    ("discord/", "discord/", "Discord"),
    ("Signal/", "Signal/", "Signal"),
    ("Code/", "Code/", "Visual Studio Code"),
    ("Spotify/", "Spotify/", "Spotify"),
    ("mirall/", "mirall/", "Nextcloud"),
    ("Postman/", "Postman/", "Postman"),
    ("Notion/", "Notion/", "Notion"),
    ("Obsidian/", "obsidian/", "Obsidian"),
    ("obsidian/", "obsidian/", "Obsidian"),
];

/// Browsers by their product: the mark their version follows, the name, how many parts of it are told.
const PRODUCTS: &[(&str, &str, usize)] = &[
    ("Edg/", "Edge", 1),
    ("EdgA/", "Edge", 1),
    ("EdgiOS/", "Edge", 1),
    ("EdgW/", "Edge", 1),
    ("Edge/", "Edge", 1),
    ("OPX/", "Opera GX", 1),
    ("OPRGX/", "Opera GX", 1),
    ("Opera Mini/", "Opera Mini", 2),
    ("OPiOS/", "Opera Mini", 2),
    ("OPT/", "Opera", 1),
    ("OPR/", "Opera", 1),
    ("Vivaldi/", "Vivaldi", 2),
    ("YaBrowser/", "Yandex Browser", 2),
    ("YaSearchBrowser/", "Yandex", 2),
    ("SamsungBrowser/", "Samsung Internet", 1),
    ("DuckDuckGo/", "DuckDuckGo", 1),
    ("Ddg/", "DuckDuckGo", 1),
    ("Brave/", "Brave", 1),
    ("UCBrowser/", "UC Browser", 1),
    ("MiuiBrowser/", "Mi Browser", 1),
    ("HuaweiBrowser/", "Huawei Browser", 1),
    ("VivoBrowser/", "Vivo Browser", 1),
    ("HeyTapBrowser/", "HeyTap Browser", 1),
    ("MQQBrowser/", "QQ Browser", 1),
    ("QQBrowser/", "QQ Browser", 1),
    ("baiduboxapp/", "Baidu", 1),
    ("Whale/", "Whale", 1),
    ("Silk/", "Silk", 1),
    ("Puffin/", "Puffin", 1),
    ("Maxthon/", "Maxthon", 1),
    ("coc_coc_browser/", "Coc Coc", 1),
    ("Ecosia ios@", "Ecosia", 1),
    ("Avast/", "Avast Secure Browser", 1),
    ("AvastSecureBrowser/", "Avast Secure Browser", 1),
    ("Norton/", "Norton Browser", 1),
    ("SznProhlizec/", "Seznam Browser", 1),
    ("Iron/", "Iron", 1),
    ("Otter/", "Otter", 1),
    ("QupZilla/", "QupZilla", 1),
    ("SailfishBrowser/", "Sailfish Browser", 1),
    ("Epiphany/", "GNOME Web", 0),
    ("Falkon/", "Falkon", 1),
    ("Konqueror/", "Konqueror", 1),
    ("QtWebEngine/", "QtWebEngine", 2),
    ("qutebrowser/", "qutebrowser", 2),
    ("NintendoBrowser/", "Nintendo Browser", 1),
    ("PaleMoon/", "Pale Moon", 1),
    ("Waterfox/", "Waterfox", 1),
    ("LibreWolf/", "LibreWolf", 1),
    ("SeaMonkey/", "SeaMonkey", 2),
    ("Thunderbird/", "Thunderbird", 1),
    ("Iceweasel/", "Iceweasel", 1),
    ("Netscape/", "Netscape", 1),
    ("Klar/", "Firefox Klar", 1),
    ("Focus/", "Firefox Focus", 1),
    ("FxiOS/", "Firefox", 1),
    ("CriOS/", "Chrome", 1),
    ("CrMo/", "Chrome", 1),
    ("Lynx/", "Lynx", 2),
    ("w3m/", "w3m", 2),
    ("ELinks/", "ELinks", 2),
    ("Links (", "Links", 2),
    ("Sleipnir/", "Sleipnir", 2),
    ("OculusBrowser/", "Meta Quest Browser", 1),
    ("MobileSafari/", "Safari", 0),
];

/// The engines' own browsers, which most of the above claim to be; asked last.
const ANCESTORS: &[(&str, &str, usize)] =
    &[("Firefox/", "Firefox", 1), ("Chrome/", "Chrome", 1), ("Chromium/", "Chromium", 1)];

/// The browsers that are a system's own and give their version apart from their name, by the system.
const OF_SYSTEM: &[(&str, &str)] = &[
    ("Android", "Android Browser"),
    ("BB10", "BlackBerry Browser"),
    ("Mac OS X", "Safari"),
    ("Windows", "Safari"),
];

/// What a browser is called, and how sure that is.
struct Name {
    label: String,
    /// Whether it is the program's own name, and not that of the engine it is built on.
    own: bool,
}

/// The browser's name and version: the better one of hints and `User-Agent`. Empty when neither knows.
pub(super) fn name(text: &Text, hints: &Hints) -> String {
    let said = spoken(text);
    match (&hints.browser, said) {
        (Some(brand), Some(name)) if brand.is_generic() && name.own => name.label,
        (Some(brand), _) => brand.label(),
        (None, Some(name)) => name.label,
        (None, None) => String::new(),
    }
}

/// Whether the text begins with a browser of the table, though it does not call itself `Mozilla`.
pub(super) fn leads(text: &Text) -> bool {
    let begins = |(mark, _, _): &(&str, &str, usize)| text.as_str().starts_with(mark);
    IN_APP.iter().any(|(mark, _, _)| text.as_str().trim_start_matches('[').starts_with(mark))
        || PRODUCTS.iter().any(begins)
}

fn spoken(text: &Text) -> Option<Name> {
    let own = |label| Name { label, own: true };
    let engine = |label| Name { label, own: false };
    in_app(text)
        .or_else(|| electron(text))
        .or_else(|| gaming_opera(text))
        .or_else(|| product(text, PRODUCTS))
        .map(own)
        .or_else(|| web_view(text).map(engine))
        .or_else(|| product(text, ANCESTORS).map(engine))
        .or_else(|| of_system(text).map(own))
}

fn in_app(text: &Text) -> Option<String> {
    let (_, version, name) = IN_APP.iter().find(|(mark, _, _)| text.has(mark))?;
    let version = if version.is_empty() { String::new() } else { text.version(version, 1) };
    Some(joined(name, &version))
}

/// A desktop application made of a browser: its own name stands before the engine's.
fn electron(text: &Text) -> Option<String> {
    let engine = joined("Electron", &text.version("Electron/", 1));
    let own = text.after("like Gecko) ").map(leading_label).filter(|label| !label.starts_with("Chrome"));
    text.has("Electron/").then(|| own.unwrap_or(engine))
}

/// Opera's edition for players has no product of its own; some of its builds say so in a comment.
fn gaming_opera(text: &Text) -> Option<String> {
    let edition = text.after("(Edition ")?.split(')').next()?;
    edition.contains("GX").then(|| joined("Opera GX", &text.version("OPR/", 1)))
}

fn product(text: &Text, table: &[(&str, &str, usize)]) -> Option<String> {
    let (mark, name, parts) = table.iter().find(|(mark, _, _)| text.has(mark))?;
    let version = text.version(mark, *parts);
    // A major version of nought says nothing: the first Chrome was 0.2.
    let version = if version == "0" { text.version(mark, 2) } else { version };
    Some(joined(name, &version))
}

/// A page in an application that does not give its own name.
fn web_view(text: &Text) -> Option<String> {
    if text.has("wv)") {
        return Some(joined("Android WebView", &text.version("Chrome/", 1)));
    }
    let apple = text.has("like Mac OS X") && text.has("AppleWebKit/");
    (apple && !text.has("Safari/")).then(|| "iOS WebView".to_owned())
}

/// A browser of its system: `Safari` alone says no more than which engine it has.
fn of_system(text: &Text) -> Option<String> {
    let version = text.version("Version/", 2);
    if !text.has("Safari/") || version.is_empty() {
        return None;
    }
    let (_, name) = OF_SYSTEM.iter().find(|(system, _)| text.has(system))?;
    Some(joined(name, &version))
}
