//! One function for each page.
use std::fmt::Write;

use crate::apps::{Chosen, Line, Order, Product, Refusal};
use crate::layout::{page, picture, price};
use wythe_sdk::Error;
use wythe_sdk::http::{Query, Response, escape};

pub fn home(products: &[Product], search: &str) -> Response {
    let mut main = match search.trim() {
        "" => "<h1>Good tools for good walls</h1>\n".to_owned(),
        words => format!("<h1>Results for “{}”</h1>\n", escape(words)),
    };
    if products.is_empty() {
        main.push_str("<p>Nothing fits. <a href=\"/\">See all products</a>.</p>\n");
    }
    main.push_str("<ul class=\"products\">\n");
    for product in products {
        let Product { id, name, .. } = product;
        main.push_str(&format!(
            "<li><a href=\"/products/{}\">{}<span class=\"name\">{}</span><span class=\"price\">{}</span></a></li>\n",
            escape(id),
            picture(&product.picture),
            escape(name),
            price(product.price.into())
        ));
    }
    main.push_str("</ul>\n");
    page("Products", search, &main)
}

pub fn product(product: &Product) -> Response {
    let quantities: String = (1..=10)
        .map(|quantity| format!("<option>{quantity}</option>"))
        .collect();
    let main = format!(
        r#"<article class="product">
{picture}
<div>
<h1>{name}</h1>
<p>{description}</p>
<p class="price">{price}</p>
<form action="/cart" method="post">
<input type="hidden" name="product" value="{id}">
<label for="quantity">Quantity</label>
<select id="quantity" name="quantity">{quantities}</select>
<button class="primary">Add to cart</button>
</form>
</div>
</article>
"#,
        picture = picture(&product.picture),
        name = escape(&product.name),
        description = escape(&product.description),
        price = price(product.price.into()),
        id = escape(&product.id),
    );
    page(&product.name, "", &main)
}

pub fn cart(items: &[Chosen]) -> Response {
    if items.is_empty() {
        return page(
            "Cart",
            "",
            "<h1>Your cart</h1>\n<p>It is empty. <a href=\"/\">Find something good</a>.</p>\n",
        );
    }
    let main = format!(
        r#"<h1>Your cart</h1>
{}<div class="actions">
<form action="/cart/empty" method="post"><button>Empty the cart</button></form>
<a class="button primary" href="/checkout">Go to checkout</a>
</div>
"#,
        table_of(items)
    );
    page("Cart", "", &main)
}

/// The form, with what was typed before and what is wrong with it.
pub fn checkout(items: &[Chosen], order: &str, typed: &Query, refusal: &Refusal) -> Response {
    if items.is_empty() {
        return cart(items);
    }
    let typed = |name| escape(typed.get(name).unwrap_or_default());
    let mut main = "<h1>Checkout</h1>\n".to_owned();
    for (field, fault) in &refusal.fields {
        if !["email", "address", "card"].contains(&field.as_str()) {
            main.push_str(&format!(
                "<p class=\"fault\" role=\"alert\">{}</p>\n",
                escape(fault)
            ));
        }
    }
    main.push_str(&table_of(items));
    main.push_str(&format!(
        r#"<form class="checkout" action="/checkout" method="post">
<input type="hidden" name="order" value="{order}">
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="email" required value="{email}"{email_state}>
{email_fault}<label for="address">Address</label>
<textarea id="address" name="address" rows="4" autocomplete="street-address" required{address_state}>
{address}</textarea>
{address_fault}<label for="card">Card</label>
<input id="card" name="card" inputmode="numeric" autocomplete="cc-number" required value="{card}"{card_state}>
{card_fault}<button class="primary">Place the order</button>
</form>
"#,
        order = escape(order),
        email = typed("email"),
        email_state = state(refusal, "email"),
        email_fault = fault_of(refusal, "email"),
        address = typed("address"),
        address_state = state(refusal, "address"),
        address_fault = fault_of(refusal, "address"),
        card = card_of(typed("card")),
        card_state = state(refusal, "card"),
        card_fault = fault_of(refusal, "card"),
    ));
    page("Checkout", "", &main)
}

/// A number that every payment network sets aside for tests, since nobody should type a real one here.
fn card_of(typed: String) -> String {
    if typed.is_empty() {
        "4242 4242 4242 4242".to_owned()
    } else {
        typed
    }
}

/// The page of an order whose purchase still goes on; it asks again by itself.
fn unsettled(order: &Order, step: &str) -> Response {
    let told = match step {
        "reserve" => "Your goods are taken from the shelf",
        "charge" => "Your card is charged",
        "ship" => "Your parcel is handed to the carrier",
        "refund" => "Your money is paid back",
        "release" => "Your goods are put back on the shelf",
        "keep" => "Your order is written down",
        _ => "The news of your order is told",
    };
    let main = format!(
        "<h1>A moment, please</h1>\n<p role=\"status\">{told} …</p>\n<p>Order <code>{}</code></p>\n",
        escape(&order.id)
    );
    page("Order under way", "", &main).with_header("refresh", "1")
}

pub fn order(order: &Order) -> Response {
    if let Some(step) = &order.step {
        return unsettled(order, step);
    }
    let main = format!(
        r#"<h1>Thank you for your order</h1>
<dl>
<dt>Order</dt><dd><code>{id}</code></dd>
<dt>Tracking</dt><dd><code>{tracking}</code></dd>
<dt>Address</dt><dd class="address">{address}</dd>
<dt>Card</dt><dd>{card}</dd>
</dl>
{table}<p><a href="/orders/{id}/receipt">Read the receipt</a>. A letter goes to {email}. <a href="/outbox">See the outbox</a>, or <a href="/">go on shopping</a>.</p>
"#,
        id = escape(&order.id),
        tracking = escape(&order.tracking),
        address = escape(&order.address),
        card = escape(&order.card),
        table = table(order.lines.iter().map(Line::line)),
        email = escape(&order.email),
    );
    page("Order placed", "", &main)
}

/// An error as a page. What is the shop's own fault goes to the log, not to the buyer.
pub fn fault(error: &Error) -> Response {
    let told = if crate::is_the_callers(error) {
        escape(error.message())
    } else {
        wythe_sdk::error!("a page failed: {error}");
        "Something went wrong in the shop. Please try again in a moment.".to_owned()
    };
    let main = format!(
        "<h1>That did not work</h1>\n<p>{told}</p>\n<p><a href=\"/\">Back to the shop</a></p>\n"
    );
    page("That did not work", "", &main).with_status(error.status())
}

fn table_of(items: &[Chosen]) -> String {
    table(items.iter().map(Chosen::line))
}

/// Names, quantities and prices, with their sum.
fn table<'a>(lines: impl Iterator<Item = (&'a str, u32, u32)>) -> String {
    let mut html =
        "<table>\n<thead><tr><th scope=\"col\">Product</th><th scope=\"col\">Quantity</th>\
        <th scope=\"col\">Price</th></tr></thead>\n<tbody>\n"
            .to_owned();
    let mut total = 0;
    for (name, quantity, cents) in lines {
        let sum = u64::from(quantity) * u64::from(cents);
        total += sum;
        let name = escape(name);
        // Writing to a string cannot fail.
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{name}</th><td>{quantity}</td><td>{}</td></tr>",
            price(sum)
        );
    }
    let total = price(total);
    html + &format!(
        "</tbody>\n<tfoot><tr><th scope=\"row\" colspan=\"2\">Total</th><td>{total}</td></tr></tfoot>\n</table>\n"
    )
}

/// Tells a screen reader which text belongs to a field that is wrong.
fn state(refusal: &Refusal, field: &str) -> String {
    match refusal.fields.contains_key(field) {
        true => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-fault\""),
        false => String::new(),
    }
}

fn fault_of(refusal: &Refusal, field: &str) -> String {
    let told = |fault: &String| {
        format!(
            "<p class=\"fault\" id=\"{field}-fault\">{}</p>\n",
            escape(fault)
        )
    };
    refusal.fields.get(field).map(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_adds_up() {
        let html = table([("Brick <red>", 3, 190), ("Level", 1, 4150)].into_iter());
        assert!(
            html.contains("<th scope=\"row\">Brick &lt;red&gt;</th><td>3</td><td>€&nbsp;5.70</td>")
        );
        assert!(html.contains("colspan=\"2\">Total</th><td>€&nbsp;47.20</td>"));
    }
}
