//! `crucible token`: who may use the daemon's interfaces.

use std::io::Write;
use std::time::Duration;

use crucible_api::auth::{NewToken, TokenInfo};
use crucible_services::access::Scope;
use crucible_services::clock;

use crate::args::{Global, Token, TokenAction};
use crate::failure::{Failure, Kind};
use crate::session::{daemon, print_json};
use crate::terminal::{Style, plain};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn run(global: &Global, args: &Token) -> Result<(), Failure> {
    let client = daemon(global, &args.vault)?;
    let mut out = std::io::stdout().lock();
    match &args.action {
        TokenAction::Create { name, scopes, days } => {
            let scopes = scopes
                .iter()
                .map(|text| text.parse::<Scope>())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Failure::new(Kind::Usage, error))?;
            let mut token = NewToken::new(name, scopes);
            token.expires_at = days.map(|days| clock::now() + DAY * u32::from(days));
            let made = client.create_token(&token).await?;
            if args.format.json {
                return print_json(&serde_json::json!({
                    "token": made.secret.reveal(),
                    "info": made.info,
                }));
            }
            writeln!(out, "{}", made.secret.reveal())?;
            Ok(())
        }
        TokenAction::List => {
            let tokens = client.tokens().await?;
            if args.format.json {
                return print_json(&tokens);
            }
            list(&mut out, &tokens, Style::detect())
        }
        TokenAction::Revoke { name } => {
            client.revoke_token(name).await?;
            writeln!(out, "{} is refused from now on.", plain(name))?;
            Ok(())
        }
    }
}

fn list(out: &mut impl Write, tokens: &[TokenInfo], style: Style) -> Result<(), Failure> {
    if tokens.is_empty() {
        writeln!(
            out,
            "There are no tokens; `crucible token create NAME` makes one."
        )?;
    }
    for token in tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
        let used = token
            .used_at
            .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
        let ends = token
            .expires_at
            .map_or_else(String::new, |at| format!(", ends {at}"));
        let name = style.bold(plain(&token.name));
        writeln!(
            out,
            "{name}  {}  {}",
            scopes.join(" "),
            style.dim(used + &ends)
        )?;
    }
    Ok(())
}
