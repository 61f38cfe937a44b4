//! A buyer in the shop, who acts as a browser does.

use anyhow::{Context, Result, ensure};
use host_tests::{Answer, Running, client, request};
use http::Method;

pub const CARD: &str = "4242+4242+4242+4242";

/// One browser, with its cookie.
#[derive(Clone)]
pub struct Buyer {
    pub url: String,
    pub cookie: String,
}

impl Buyer {
    pub async fn arrive(running: &Running) -> Result<Self> {
        Self::at(&running.url("")).await
    }

    pub async fn at(url: &str) -> Result<Self> {
        let home = request(&client(), Method::GET, url, &[], "").await?;
        ensure!(home.status == 200, "{home:?}");
        let cookie = home.headers.get("set-cookie").context("no session")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
        let (url, cookie) = (url.to_owned(), cookie.to_owned());
        Ok(Buyer { url, cookie })
    }

    pub async fn post(&self, path: &str, form: &str) -> Result<Answer> {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let url = format!("{}{path}", self.url);
        request(&client(), Method::POST, &url, &headers, form.to_owned()).await
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        let headers = [("cookie", self.cookie.as_str())];
        let url = format!("{}{path}", self.url);
        request(&client(), Method::GET, &url, &headers, "").await
    }

    pub async fn put(&self, product: &str, quantity: u32) -> Result<()> {
        let form = format!("product={product}&quantity={quantity}");
        let answer = self.post("/cart", &form).await?;
        ensure!(answer.status == 303, "{answer:?}");
        Ok(())
    }

    pub async fn pay(&self, card: &str) -> Result<Answer> {
        self.buy("", "Lane+1", card).await
    }

    /// Buys with an id of its own, unless it is empty.
    pub async fn buy(&self, id: &str, address: &str, card: &str) -> Result<Answer> {
        let form = format!("order={id}&email=ann%40example.com&address={address}&card={card}");
        self.post("/checkout", &form).await
    }

    /// Orders, and returns where the order's page is.
    pub async fn order(&self) -> Result<String> {
        let answer = self.pay(CARD).await?;
        ensure!(answer.status == 303, "{answer:?}");
        let page = answer.headers.get("location").context("no page")?;
        Ok(page.to_str()?.to_owned())
    }
}
