//! What client hints add to a `User-Agent` that browsers have frozen.

use crate::{
    domain::agent::{ACCEPT_CH, device},
    model::device::{Agent, Device, Kind},
};

const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36";
const CHROME: &str = r#""Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126""#;

fn hinted(user_agent: &str, brands: &str, platform: &str, version: &str) -> Agent {
    Agent {
        brands: Some(brands.to_owned()),
        platform: Some(format!("\"{platform}\"")),
        platform_version: Some(format!("\"{version}\"")),
        ..Agent::of(user_agent)
    }
}

fn os(user_agent: &str, platform: &str, version: &str) -> String {
    device(&hinted(user_agent, CHROME, platform, version)).os
}

fn browser(user_agent: &str, brands: &str) -> String {
    device(&Agent { brands: Some(brands.to_owned()), ..Agent::of(user_agent) }).browser
}

#[test]
fn windows_11_is_told_from_10_by_its_platform_version() {
    // The numbers are Microsoft's: 13 and above is Windows 11, 1 to 10 is Windows 10, 0.1 to 0.3 are 7 to 8.1.
    for (version, name) in [
        ("19.0.0", "Windows 11"),
        ("15.0.0", "Windows 11"),
        ("13.0.0", "Windows 11"),
        ("10.0.0", "Windows 10"),
        ("1.0.0", "Windows 10"),
        ("0.3.0", "Windows 8.1"),
        ("0.2.0", "Windows 8"),
        ("0.1.0", "Windows 7"),
        ("0.0.0", "Windows"),
        ("", "Windows 10 or 11"),
        ("new", "Windows 10 or 11"),
    ] {
        assert_eq!(os(WINDOWS, "Windows", version), name, "{version}");
    }
}

#[test]
fn macos_and_android_and_chromeos_get_their_versions_back() {
    assert_eq!(os(MAC, "macOS", "14.5.0"), "macOS 14.5");
    assert_eq!(os(MAC, "macOS", "15.0.0"), "macOS 15");
    assert_eq!(os(MAC, "macOS", "26.0.1"), "macOS 26.0.1");
    assert_eq!(os(MAC, "macOS", ""), "macOS");
    assert_eq!(os(ANDROID, "Android", "14.0.0"), "Android 14");
    assert_eq!(os(ANDROID, "Android", ""), "Android");
    let chromebook = WINDOWS.replace("Windows NT 10.0; Win64; x64", "X11; CrOS x86_64 14541.0.0");
    assert_eq!(os(&chromebook, "Chrome OS", "15917.71.0"), "ChromeOS 15917.71.0");
    let linux = WINDOWS.replace("Windows NT 10.0; Win64; x64", "X11; Linux x86_64");
    assert_eq!(os(&linux, "Linux", "6.8.0"), "Linux");
}

#[test]
fn a_platform_that_nobody_knows_leaves_the_user_agent_its_say() {
    assert_eq!(os(WINDOWS, "Unknown", ""), "Windows 10 or 11");
    assert_eq!(os(MAC, "", "14.5.0"), "macOS");
}

#[test]
fn the_model_and_the_form_come_from_the_hints() {
    let phone = Agent {
        model: Some("\"Pixel 8\"".to_owned()),
        mobile: Some(true),
        ..hinted(ANDROID, CHROME, "Android", "14.0.0")
    };
    assert_eq!(
        device(&phone),
        Device {
            kind: Kind::Phone,
            device: "Pixel 8".to_owned(),
            os: "Android 14".to_owned(),
            browser: "Chrome 126".to_owned()
        }
    );
    let tablet = Agent { model: Some("\"\"".to_owned()), mobile: Some(false), ..phone };
    assert_eq!(device(&tablet).kind, Kind::Tablet);
    assert_eq!(device(&tablet).device, "Android tablet");
}

#[test]
fn browsers_that_hide_in_chromes_user_agent_are_named_by_their_brand() {
    for (brands, name) in [
        (r#""Brave";v="137", "Chromium";v="137", "Not/A)Brand";v="24""#, "Brave 137"),
        (r#""Chromium";v="126", "Vivaldi";v="6.8", "Not/A)Brand";v="8""#, "Vivaldi 6.8"),
        (r#""Not/A)Brand";v="8", "Chromium";v="126", "Microsoft Edge";v="126""#, "Edge 126"),
        (r#""Opera GX";v="111", "Chromium";v="125", "Not.A/Brand";v="24""#, "Opera GX 111"),
        (r#""Chromium";v="121", "Not A(Brand";v="99", "Samsung Internet";v="25.0""#, "Samsung Internet 25"),
        (r#""Chromium";v="126", "DuckDuckGo";v="126""#, "DuckDuckGo 126"),
        (CHROME, "Chrome 126"),
        (r#""Chromium";v="126", "Not/A)Brand";v="8""#, "Chromium 126"),
    ] {
        assert_eq!(browser(WINDOWS, brands), name);
    }
}

#[test]
fn the_full_version_list_comes_before_the_brands() {
    let agent = Agent {
        brands: Some(CHROME.to_owned()),
        full_versions: Some(r#""Chromium";v="126.0.6478.127", "Vivaldi";v="6.8.3381.46""#.to_owned()),
        ..Agent::of(WINDOWS)
    };
    assert_eq!(device(&agent).browser, "Vivaldi 6.8");
}

#[test]
fn a_name_in_the_user_agent_comes_before_an_engines_brand() {
    let instagram = ANDROID.replace("Safari/537.36", "Safari/537.36 Instagram 331.0.0.37.90 Android");
    assert_eq!(browser(&instagram, r#""Chromium";v="126", "Android WebView";v="126""#), "Instagram 331");
    let opera = format!("{WINDOWS} OPR/111.0.0.0");
    assert_eq!(browser(&opera, r#""Chromium";v="125", "Not.A/Brand";v="24""#), "Opera 111");
    assert_eq!(browser(ANDROID, r#""Chromium";v="126", "Android WebView";v="126""#), "Android WebView 126");
}

#[test]
fn a_driven_browser_is_a_program_though_its_user_agent_was_changed() {
    let agent = hinted(WINDOWS, r#""Chromium";v="126", "HeadlessChrome";v="126""#, "Linux", "");
    let device = device(&agent);
    assert_eq!((device.kind, device.device.as_str()), (Kind::Bot, "Headless browser"));
    assert_eq!((device.browser.as_str(), device.os.as_str()), ("HeadlessChrome 126", "Linux"));
}

#[test]
fn hints_that_are_no_hints_change_nothing() {
    let plain = device(&Agent::of(WINDOWS));
    for bad in ["", "\"", "\"\"", "\\", "?1", "\r\n\u{0}", "\"Chrome", "\u{fffd}", ",,,,", "(((((((((("] {
        let agent = Agent {
            brands: Some(bad.to_owned()),
            full_versions: Some(bad.to_owned()),
            platform: Some(bad.to_owned()),
            platform_version: Some(bad.to_owned()),
            ..Agent::of(WINDOWS)
        };
        assert_eq!(device(&agent), plain, "{bad:?}");
    }
}

#[test]
fn every_hint_that_is_read_and_not_sent_by_itself_is_asked_for() {
    for name in ["Platform", "Platform-Version", "Model", "Full-Version-List"] {
        assert!(ACCEPT_CH.split(", ").any(|hint| hint == format!("Sec-CH-UA-{name}")), "{name}");
    }
}
