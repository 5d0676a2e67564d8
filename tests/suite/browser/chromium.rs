//! Chromium, driven by its own chromedriver. All waiting is waiting for an element.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Once,
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
    elements::Element,
    error::CmdError,
    wd::{Capabilities, WindowHandle},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::House;

/// How long between two looks at what one waits for.
const EVERY: Duration = Duration::from_millis(25);

/// A driver of one journey's browsers.
pub(super) struct Chromium {
    driver: Child,
    port: u16,
}

/// How a browser differs from the plain one.
#[derive(Clone, Copy, Default)]
pub(super) struct Kind {
    /// What it calls itself, if not what it is.
    pub(super) user_agent: Option<&'static str>,
    /// With scripts switched off.
    pub(super) without_scripts: bool,
}

impl Chromium {
    /// The driver, or `None` on a machine without one.
    pub(super) fn start() -> Option<Self> {
        static SAID: Once = Once::new();
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let Ok(mut driver) = started else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, but there is no chromedriver");
            // Past the capture of the test harness: whoever runs the tests should see it.
            SAID.call_once(|| {
                let _ = std::io::stderr().write_all(
                    b"\nBROWSER TESTS SKIPPED: install chromedriver and Chromium (Debian: chromium-driver)\n",
                );
            });
            return None;
        };
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        Some(Self { driver, port: port.unwrap() })
    }

    /// A browser as it comes, at a house's door.
    pub(super) async fn browser<'a>(&'a self, house: &'a House) -> Browser<'a> {
        self.kind(house, Kind::default()).await
    }

    /// A browser of another kind.
    pub(super) async fn kind<'a>(&'a self, house: &'a House, kind: Kind) -> Browser<'a> {
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<_> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let mut options = json!({ "args": flags });
        if kind.without_scripts {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let wishes = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let wishes: Capabilities = serde_json::from_value(wishes).unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client =
            builder.capabilities(wishes).connect(&format!("http://127.0.0.1:{}", self.port)).await.unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let scripts = !kind.without_scripts;
        let browser = Browser { client, session, house, port: self.port, scripts, _profile: profile };
        if let Some(agent) = kind.user_agent {
            // Unlike the flag, this also keeps back the client hints, which would tell what it really is.
            browser.devtools("Emulation.setUserAgentOverride", &json!({ "userAgent": agent }));
        }
        browser
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Somebody at a browser.
pub(super) struct Browser<'a> {
    client: Client,
    session: String,
    house: &'a House,
    port: u16,
    scripts: bool,
    _profile: TempDir,
}

impl Browser<'_> {
    /// Opens a page of the house.
    pub(super) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.house.address)).await.unwrap();
    }

    /// Opens whatever address.
    pub(super) async fn visit(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Opens a page again and again until it shows this: what was just done is found a moment later.
    pub(super) async fn find(&self, path: &str, css: &str) {
        for _ in 0..PATIENCE {
            self.open(path).await;
            if self.has(css).await {
                return;
            }
            pause().await;
        }
        panic!("{path} never shows {css}\n{}", self.page().await);
    }

    /// Signs in and waits for the first page.
    pub(super) async fn sign_in(&self, user: &str) {
        self.sign_in_with(user, super::PASSWORD).await;
        self.at("/sessions").await;
    }

    /// Fills in the sign-in and sends it.
    pub(super) async fn sign_in_with(&self, user: &str, password: &str) {
        self.open("/signin").await;
        self.fill("user", user).await;
        self.fill("password", password).await;
        self.click("main form button.primary").await;
    }

    /// The element, as soon as it is there.
    pub(super) async fn see(&self, css: &str) -> Element {
        self.wait(Locator::Css(css), css).await
    }

    /// Does something with the element, as soon as it is there. A page that is live may put another one in its place at any
    /// moment: what has gone between the look and the deed is looked for once more.
    async fn with<T>(&self, css: &str, deed: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        for _ in 0..PATIENCE {
            match deed(self.see(css).await).await {
                Err(error) if error.is_stale_element_reference() => pause().await,
                done => return done.unwrap_or_else(|error| panic!("{css}: {error}")),
            }
        }
        panic!("{css} never stays for long enough\n{}", self.page().await);
    }

    /// Waits for an element of this kind that says just these words.
    pub(super) async fn says(&self, kind: &str, words: &str) -> Element {
        let quote = if words.contains('"') { '\'' } else { '"' };
        let path = format!("//{kind}[normalize-space(.)={quote}{words}{quote}]");
        self.wait(Locator::XPath(&path), &path).await
    }

    /// Waits until no such element is left.
    pub(super) async fn gone(&self, css: &str) {
        self.see(&format!("html:not(:has({css}))")).await;
    }

    /// Waits until there are as many as this.
    pub(super) async fn count(&self, css: &str, count: usize) {
        let script = "return document.querySelectorAll(arguments[0]).length === arguments[1]";
        self.until(script, vec![json!(css), json!(count)], &format!("{count} of {css}")).await;
    }

    /// Waits until the page has this path (and whatever query) and is all there.
    pub(super) async fn at(&self, path: &str) {
        for _ in 0..PATIENCE {
            if self.client.current_url().await.is_ok_and(|url| url.path() == path) {
                self.see("footer.foot").await;
                return;
            }
            pause().await;
        }
        panic!("still not at {path}\n{}", self.page().await);
    }

    /// Waits until a script says yes.
    pub(super) async fn until(&self, script: &str, arguments: Vec<Value>, what: &str) {
        for _ in 0..PATIENCE {
            if self.client.execute(script, arguments.clone()).await.is_ok_and(|said| said == json!(true)) {
                return;
            }
            pause().await;
        }
        panic!("{what}: not so\n{}", self.page().await);
    }

    /// The address as it stands now, without the host.
    pub(super) async fn path_and_query(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.house.address).unwrap_or_default().to_owned()
    }

    /// What an element says, as soon as it is there.
    pub(super) async fn text(&self, css: &str) -> String {
        self.with(css, async |element| element.text().await).await
    }

    /// What all of them say now, also where a style hides it.
    pub(super) async fn texts(&self, css: &str) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent.trim())";
        serde_json::from_value(self.client.execute(script, vec![json!(css)]).await.unwrap()).unwrap()
    }

    /// Whether such an element is there now.
    pub(super) async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// Clicks as soon as there is something to click.
    pub(super) async fn click(&self, css: &str) {
        self.with(css, async |element| element.click().await).await;
    }

    /// Replaces what stands in the field of this name.
    pub(super) async fn fill(&self, name: &str, text: &str) {
        let field = format!("main [name={name}]:not([type=hidden]):not([hidden])");
        let type_over = async |field: Element| {
            field.clear().await?;
            field.send_keys(text).await
        };
        self.with(&field, type_over).await;
    }

    /// Chooses from the drop-down of this name.
    pub(super) async fn choose(&self, name: &str, value: &str) {
        let list = format!("select[name={name}]");
        self.with(&list, async |list| list.select_by_value(value).await).await;
    }

    /// Puts a file into the page's only field for one.
    pub(super) async fn choose_file(&self, path: &Path) {
        self.see("input[type=file]").await.send_keys(path.to_str().unwrap()).await.unwrap();
    }

    /// Presses keys one by one, wherever the focus is at each.
    pub(super) async fn press(&self, keys: &str) {
        let both = |value| [KeyAction::Down { value }, KeyAction::Up { value }];
        let nothing = KeyActions::new("keyboard".to_owned());
        let pressed = keys.chars().flat_map(both).fold(nothing, KeyActions::then);
        self.client.perform_actions(pressed).await.unwrap();
    }

    /// What an address of the house answers to this browser, as text.
    pub(super) async fn fetch(&self, path: &str) -> String {
        let script = "const [path, done] = arguments; fetch(path).then((answer) => answer.text()).then(done)";
        let answer = self.client.execute_async(script, vec![json!(path)]).await.unwrap();
        answer.as_str().unwrap().to_owned()
    }

    /// What a script returns.
    pub(super) async fn value(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// The tab at hand.
    pub(super) async fn window(&self) -> WindowHandle {
        self.client.window().await.unwrap()
    }

    /// Opens a page in another tab, which is the one at hand from now on.
    pub(super) async fn tab(&self, path: &str) -> WindowHandle {
        let tab = self.client.new_window(true).await.unwrap().handle;
        self.turn_to(tab.clone()).await;
        self.open(path).await;
        tab
    }

    /// Turns to another tab.
    pub(super) async fn turn_to(&self, tab: WindowHandle) {
        self.client.switch_to_window(tab).await.unwrap();
    }

    /// Runs a script that is given these.
    pub(super) async fn run(&self, script: &str, arguments: Vec<Value>) {
        self.client.execute(script, arguments).await.unwrap();
    }

    /// What a script hands to the last of its arguments in the end.
    pub(super) async fn answer(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap()
    }

    /// The names of the cookies it holds for where it is.
    pub(super) async fn cookies(&self) -> Vec<String> {
        let cookies = self.client.get_all_cookies().await.unwrap();
        cookies.iter().map(|cookie| cookie.name().to_owned()).collect()
    }

    /// Waits until a script says that it is done.
    pub(super) async fn later(&self, script: &str) {
        self.client.execute_async(script, vec![]).await.unwrap();
    }

    /// The page fits a telephone: nothing scrolls sideways at 360 px.
    pub(super) async fn fits(&self, path: &str) {
        self.open(path).await;
        // A window cannot be that narrow, an emulated screen can.
        let screen = json!({ "width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
        let script = "const page = document.documentElement; return [innerWidth, page.scrollWidth <= page.clientWidth]";
        let fits = self.client.execute(script, vec![]).await.unwrap();
        assert_eq!(fits, json!([360, true]), "{path} scrolls sideways");
        self.devtools("Emulation.clearDeviceMetricsOverride", &json!({}));
    }

    /// Gives the browser a device for passkeys, whose user always shows the right finger.
    pub(super) fn plug_in_a_device(&self) {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
        });
        self.driver("POST", "webauthn/authenticator", &device);
    }

    /// Ends the journey: nothing may have been written to the console.
    pub(super) fn leave(self) {
        assert_eq!(self.console(), Vec::<String>::new(), "the console is not empty");
    }

    /// Ends a journey on which a page was refused, which Chromium notes and nobody can help.
    pub(super) fn leave_after_a_refusal(self) {
        let mut entries = self.console();
        entries.retain(|entry| !entry.contains("the server responded with a status of 4"));
        assert_eq!(entries, Vec::<String>::new(), "the console is not empty");
    }

    fn console(&self) -> Vec<String> {
        let entries = self.driver("POST", "se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter().map(|entry| entry["message"].to_string());
        // Chromium notes each sign-out: it has cleared what the header of that name told it to clear.
        entries.filter(|entry| !entry.contains("Clear-Site-Data")).collect()
    }

    async fn wait(&self, locator: Locator<'_>, what: &str) -> Element {
        let wait = self.client.wait().at_most(Duration::from_secs(10)).every(EVERY);
        match wait.for_element(locator).await {
            Ok(element) => element,
            Err(error) => panic!("{what} is not to be seen ({error})\n{}", self.page().await),
        }
    }

    /// Where one is and what one reads there, for whoever reads the failure.
    async fn page(&self) -> String {
        let address = self.client.current_url().await.map(|url| url.to_string());
        let body = if self.scripts {
            self.client.execute("return document.body.innerText", vec![]).await.map(|text| text.to_string())
        } else {
            self.client.source().await
        };
        format!("{address:?}\n{body:?}")
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.driver("POST", "goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Chromium's own calls, which the standard lacks.
    fn driver(&self, method: &str, call: &str, body: &Value) -> Value {
        ask(self.port, method, &format!("/session/{}/{call}", self.session), &body.to_string())
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        ask(self.port, "DELETE", &format!("/session/{}", self.session), "");
    }
}

/// How often one looks until one gives up: ten seconds.
const PATIENCE: usize = 400;

/// The pause between two looks, the same as in the waits of the client.
async fn pause() {
    tokio::time::sleep(EVERY).await;
}

/// One plain call to the driver; what it answers under `value`, null where it does not.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Value {
    let answer = || -> std::io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
        let _ = write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let (mut answer, mut length) = (BufReader::new(stream), 0);
        // The driver leaves the connection open: what ends the answer is its length.
        for line in answer.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut said = vec![0; length];
        answer.read_exact(&mut said)?;
        Ok(serde_json::from_slice::<Value>(&said).map_or(Value::Null, |answer| answer["value"].clone()))
    };
    answer().unwrap_or(Value::Null)
}
