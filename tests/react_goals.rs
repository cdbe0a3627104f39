//! The page in `examples/react-goals`, in a real browser: what a seller sees of their customers, how
//! old it says that it is, and what becomes of it when somebody sells.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::support::browser::{Browser, Page};
use crate::support::node::Node;
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

/// Where the built page is; `cargo xtask test` builds it and sets this.
const FOLDER_VARIABLE: &str = "PULSO_TEST_REACT_GOALS";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/react-goals");

/// The built page and the API behind one origin, by the page's own `vite preview`.
struct Preview {
    process: Child,
    url: String,
}

impl Preview {
    #[expect(clippy::disallowed_methods, reason = "tests are told by `cargo xtask test`")]
    fn start(node: &Node) -> Self {
        let folder = std::env::var(FOLDER_VARIABLE).unwrap_or_default();
        assert!(
            !folder.is_empty(),
            "this test needs the page in examples/react-goals: run it with `cargo xtask test`, which \
             builds it, or let {FOLDER_VARIABLE} name a folder that it was built into"
        );
        let mut process = Command::new("node")
            .args(["node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1"])
            .args(["--port", "0", "--outDir", &folder])
            .current_dir(SOURCES)
            .env("PULSO_URL", &node.url)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = words.by_ref().map_while(Result::ok).find_map(|line| {
            Some(line.split_once("Local:")?.1.trim().trim_end_matches('/').to_owned())
        });
        // Whoever does not listen to what it says stops it.
        std::thread::spawn(move || words.map_while(Result::ok).for_each(drop));
        let url = url.unwrap_or_else(|| panic!("it did not start: {:?}", process.wait()));
        Self { process, url }
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Another client of the API, who sells.
struct Seller<'a> {
    node: &'a Node,
    app: &'a TestApp,
    customer: Json,
}

impl<'a> Seller<'a> {
    /// With one customer, who is to buy for 1,000.
    async fn with_a_goal(node: &'a Node, app: &'a TestApp) -> Self {
        let key = &app.alpha.admin.key;
        let create =
            "mutation($input: CompanyCreateInput!) { companyCreate(input: $input) { id } }";
        let input = json!({ "name": "Bazar do Zé", "addressCity": "Recife", "addressState": "PE" });
        let made = node.data(key, create, json!({ "input": input })).await;
        let customer = made["companyCreate"]["id"].clone();
        let today = node.data(key, "{ customerGoals { summary { year } } }", json!({})).await;
        let create = "mutation($input: GoalCreateInput!) { goalCreate(input: $input) { id } }";
        let input = json!({ "year": today["customerGoals"]["summary"]["year"], "amount": "1000.00",
            "sellerId": app.alpha.comercial.id, "customerId": customer, "classification": "A" });
        node.data(key, create, json!({ "input": input })).await;
        Self { node, app, customer }
    }

    async fn sells(&self, order: &str, amount: &str) {
        let register = "mutation($input: SaleUpsertInput!) { saleRegister(input: $input) { id } }";
        let input = json!({ "orderId": order, "sellerId": self.app.alpha.comercial.id,
            "customerId": self.customer, "amount": amount });
        self.node.data(&self.app.alpha.admin.key, register, json!({ "input": input })).await;
    }
}

/// Waits until an element says it, spaces within amounts being what they are.
async fn shows(page: &Page, selector: &str, text: &str) {
    let (selector, text) = (json!(selector), json!(text));
    let shown = format!("document.querySelector({selector})?.textContent.replace(/\\s/g, ' ')");
    page.until(&format!("{shown} === {text}")).await;
}

async fn press(page: &Page, text: &str) {
    let button =
        format!("[...document.querySelectorAll('button')].find(b => b.textContent === '{text}')");
    page.until(&format!("{button}?.disabled === false")).await;
    page.evaluate(&format!("{button}.click()")).await;
}

async fn sign_in(page: &Page, email: &str, password: &str) {
    page.until("document.querySelector('[name=password]') !== null").await;
    for (field, value) in [("tenant", "alpha"), ("email", email), ("password", password)] {
        let give = format!("document.querySelector('[name={field}]').value = {}", json!(value));
        page.evaluate(&give).await;
    }
    press(page, "Sign in").await;
}

/// Gives a field a value as whoever types or chooses does.
async fn give(page: &Page, selector: &str, value: &str) {
    let (selector, value) = (json!(selector), json!(value));
    page.until(&format!("document.querySelector({selector}) !== null")).await;
    page.evaluate(&format!(
        "(field => {{ Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set.call(field, {value}); \
           field.dispatchEvent(new Event('input', {{ bubbles: true }})); \
           field.dispatchEvent(new Event('change', {{ bubbles: true }})); }})(document.querySelector({selector})); null"
    ))
    .await;
}

/// Waits until the column of names shows these first, and so many in all.
async fn lists(page: &Page, first: &[&str], rows: usize) {
    let names = "[...document.querySelectorAll('td[data-field=CUSTOMER_NAME]')].map(cell => cell.textContent)";
    let first_names =
        format!("{names}.slice(0, {}).join() === {}", first.len(), json!(first.join(",")));
    page.until(&format!("{first_names} && {names}.length === {rows}")).await;
}

both_databases! {
    async fn a_sale_is_on_the_page_when_it_asks_again(app: TestApp) {
        let node = Node::start(app.database.url(), &[]);
        let seller = Seller::with_a_goal(&node, &app).await;
        let (preview, browser) = (Preview::start(&node), Browser::start().await);
        let page = browser.open(&preview.url).await;
        sign_in(&page, &app.alpha.comercial.email, "wrong").await;
        page.until("document.querySelector('[role=alert]')?.textContent.length > 0").await;
        sign_in(&page, &app.alpha.comercial.email, PASSWORD).await;

        shows(&page, "td[data-field=CUSTOMER_NAME]", "Bazar do Zé").await;
        shows(&page, "td[data-field=CLASSIFICATION]", "A").await;
        shows(&page, "td[data-field=SOLD_MONTH]", "R$ 0,00").await;
        shows(&page, "[data-tile=goal] dd", "R$ 1.000,00").await;
        shows(&page, "[data-tile=active] dd", "0 of 1").await;
        assert_eq!(page.evaluate("document.cookie").await, "", "no script can read the session");

        // Looked at again.
        seller.sells("1", "250.00").await;
        page.evaluate("window.dispatchEvent(new Event('visibilitychange'))").await;
        shows(&page, "td[data-field=SOLD_MONTH]", "R$ 250,00").await;
        shows(&page, "[data-tile=soldMonth] dd", "R$ 250,00").await;
        shows(&page, "[data-tile=gap] dd", "R$ 750,00").await;
        shows(&page, "[data-tile=achievement] dd", "25 %").await;
        shows(&page, "[data-tile=active] dd", "1 of 1").await;

        // With the button, which reads everything anew.
        seller.sells("2", "50.50").await;
        press(&page, "Refresh").await;
        shows(&page, "td[data-field=SOLD_MONTH]", "R$ 300,50").await;
        shows(&page, "[data-tile=soldYear] dd", "R$ 300,50").await;
        // Not so soon again.
        press(&page, "Refresh").await;
        shows(&page, "[role=alert]", "That was refreshed a moment ago. Try again in a few seconds.").await;

        // A page that is opened anew is still signed in; so it is until its session ends.
        page.go(&preview.url).await;
        shows(&page, "td[data-field=SOLD_MONTH]", "R$ 300,50").await;
        press(&page, "Sign out").await;
        page.until("document.querySelector('[name=password]') !== null").await;
    }

    async fn customers_are_sorted_filtered_sought_and_paged(app: TestApp) {
        let node = Node::start(app.database.url(), &[]);
        let (key, seller) = (&app.alpha.admin.key, app.alpha.comercial.id);
        let today = node.data(key, "{ customerGoals { summary { year } } }", json!({})).await;
        let year = today["customerGoals"]["summary"]["year"].as_i64().unwrap();
        let names = (0..60).map(|number| json!({ "name": format!("Loja {number:02}") })).collect::<Vec<_>>();
        let create = "mutation($inputs: [CompanyCreateInput!]!) { made: companyCreateMany(inputs: $inputs) { record { id } } }";
        let made = node.data(key, create, json!({ "inputs": names })).await;
        let customers: Vec<&Json> = made["made"].as_array().unwrap().iter().map(|each| &each["record"]["id"]).collect();
        let goal = |(customer, number): (&&Json, i64), year: i64| json!({ "year": year, "sellerId": seller,
            "customerId": customer, "amount": format!("{}.00", 100 + number),
            "classification": if number % 20 == 0 { "A" } else { "C" } });
        let mut goals: Vec<Json> = customers.iter().zip(0..).map(|pair| goal(pair, year)).collect();
        goals.push(goal((&customers[7], 7), year - 5));
        let create = "mutation($inputs: [GoalCreateInput!]!) { goalCreateMany(inputs: $inputs) { record { id } } }";
        node.data(key, create, json!({ "inputs": goals })).await;
        let (preview, browser) = (Preview::start(&node), Browser::start().await);
        let page = browser.open(&preview.url).await;
        sign_in(&page, &app.alpha.comercial.email, PASSWORD).await;

        // Those who lack most come first.
        lists(&page, &["Loja 59", "Loja 58"], 50).await;
        press(&page, "Load more").await;
        lists(&page, &["Loja 59", "Loja 58"], 60).await;
        page.until("[...document.querySelectorAll('button')].every(b => b.textContent !== 'Load more')").await;
        press(&page, "Customer").await;
        lists(&page, &["Loja 00", "Loja 01"], 50).await;
        press(&page, "Customer ▲").await;
        lists(&page, &["Loja 59", "Loja 58"], 50).await;
        give(&page, "[role=search] label:nth-of-type(3) select", "A").await;
        lists(&page, &["Loja 40", "Loja 20", "Loja 00"], 3).await;
        // The sums are of all, whatever is listed.
        shows(&page, "[data-tile=active] dd", "0 of 60").await;
        give(&page, "[type=search]", "loja 2").await;
        lists(&page, &["Loja 20"], 1).await;
        give(&page, "[type=search]", "nobody").await;
        page.until("document.querySelector('p.notice')?.textContent === 'No customer fits.'").await;
        give(&page, "[type=search]", "").await;
        give(&page, "[role=search] label:nth-of-type(3) select", "").await;
        give(&page, "[name=year]", &(year - 5).to_string()).await;
        lists(&page, &["Loja 07"], 1).await;
        give(&page, "[name=year]", &year.to_string()).await;
        lists(&page, &["Loja 59"], 50).await;

        // Two currencies are not added up: the tenant's is shown, and another when it is asked for.
        page.until("document.querySelector('[name=currency]') === null").await;
        let register = "mutation($input: SaleUpsertInput!) { saleRegister(input: $input) { id } }";
        let input = json!({ "orderId": "1", "sellerId": seller, "customerId": customers[3], "amount": "9.00", "currency": "USD" });
        node.data(key, register, json!({ "input": input })).await;
        page.evaluate("window.dispatchEvent(new Event('visibilitychange'))").await;
        page.until("document.querySelector('[name=currency]')?.value === 'BRL'").await;
        lists(&page, &["Loja 59"], 50).await;
        give(&page, "[name=currency]", "usd").await;
        lists(&page, &["Loja 03"], 1).await;
        shows(&page, "td[data-field=SOLD_MONTH]", "US$ 9,00").await;
    }

    async fn the_page_says_how_old_each_part_is(app: TestApp) {
        let node = Node::start(app.database.url(), &[]);
        Seller::with_a_goal(&node, &app).await;
        let (preview, browser) = (Preview::start(&node), Browser::start().await);
        let page = browser.open(&preview.url).await;
        // What the server says of its age, made older on its way.
        page.until("document.querySelector('[name=password]') !== null").await;
        page.evaluate(
            "window.older = { static: 0, annual: 0 }; const read = Response.prototype.json; \
             Response.prototype.json = async function () { const body = await read.call(this); \
               for (const [tier, seconds] of Object.entries(window.older)) \
                 if (body.extensions?.cache?.[tier]) body.extensions.cache[tier].ageSeconds += seconds; \
               return body; }; null",
        ).await;
        sign_in(&page, &app.alpha.comercial.email, PASSWORD).await;
        shows(&page, "[data-tier=static]", "Goals and customers updated just now").await;
        shows(&page, "[data-tier=annual]", "The year updated just now").await;
        shows(&page, "[data-tier=live]", "The month updated just now").await;

        page.evaluate("window.older = { static: 1500, annual: 70 }; null").await;
        page.evaluate("window.dispatchEvent(new Event('visibilitychange'))").await;
        shows(&page, "[data-tier=static]", "Goals and customers updated 25 minutes ago").await;
        shows(&page, "[data-tier=annual]", "The year updated 1 minute ago").await;
        shows(&page, "[data-tier=live]", "The month updated just now").await;
        // Time goes by while it is looked at.
        page.evaluate("(real => { Date.now = () => real() + 300_000; })(Date.now); null").await;
        shows(&page, "[data-tier=static]", "Goals and customers updated 30 minutes ago").await;
        shows(&page, "[data-tier=live]", "The month updated 5 minutes ago").await;
        // And nothing is old that was just read.
        page.evaluate("window.older = {}; null").await;
        press(&page, "Refresh").await;
        shows(&page, "[data-tier=static]", "Goals and customers updated just now").await;
        shows(&page, "[data-tier=live]", "The month updated just now").await;
    }
}
