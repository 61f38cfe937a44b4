//! The names of policies that hold where a target names none, the nearest first, as in Dapr.

/// A sort of targets, and the direction of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aim {
    /// Calls of an app by another one.
    App,
    /// Calls of actors of a type.
    Actor,
    /// Deliveries of a component to apps.
    Inbound,
    /// Calls of a component by apps.
    Outbound,
}

/// Blocks as the names of default policies call them.
const BLOCKS: [(&str, &str); 8] = [
    ("bindings", "Binding"),
    ("configuration", "Configuration"),
    ("crypto", "Crypto"),
    ("jobs", "Jobs"),
    ("lock", "Lock"),
    ("pubsub", "PubSub"),
    ("secretstores", "Secretstore"),
    ("state", "Statestore"),
];

/// Kinds of policies, as the names of default ones say them.
#[derive(Clone, Copy)]
pub(super) enum Sort {
    Timeout,
    Retry,
    Breaker,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Timeout => "Timeout",
            Sort::Retry => "Retry",
            Sort::Breaker => "CircuitBreaker",
        }
    }

    /// Every name of a default policy of this kind.
    pub(super) fn defaults(self) -> Vec<String> {
        let of = |(aim, block): (Aim, &str)| self.names(aim, block);
        let blocks = BLOCKS.into_iter().map(|(block, _)| (Aim::Outbound, block));
        let inbound = ["pubsub", "bindings"].map(|block| (Aim::Inbound, block));
        let others = [(Aim::App, ""), (Aim::Actor, "")];
        let all = others.into_iter().chain(inbound).chain(blocks);
        all.flat_map(of).collect()
    }

    /// The names of the default policies of a target, the nearest first.
    fn names(self, aim: Aim, block: &str) -> Vec<String> {
        let levels = aim.levels(block).into_iter();
        let word = self.word();
        levels
            .map(|level| format!("Default{level}{word}Policy"))
            .collect()
    }
}

impl Aim {
    /// The word of it in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Aim::App => "app",
            Aim::Actor => "actor",
            Aim::Inbound => "inbound",
            Aim::Outbound => "outbound",
        }
    }

    /// The names of timeouts that hold by default, the nearest first; `block` is that of a component.
    pub fn default_timeouts(self, block: &str) -> Vec<String> {
        Sort::Timeout.names(self, block)
    }

    /// The names of retries that hold by default, the nearest first.
    pub fn default_retries(self, block: &str) -> Vec<String> {
        Sort::Retry.names(self, block)
    }

    /// The names of circuit breakers that hold by default, the nearest first.
    pub fn default_breakers(self, block: &str) -> Vec<String> {
        Sort::Breaker.names(self, block)
    }

    /// The name of the retry that is built in, and which a policy of that name replaces.
    pub fn built_in(self) -> Option<&'static str> {
        match self {
            Aim::App => Some("DaprBuiltInServiceRetries"),
            Aim::Actor => Some("DaprBuiltInActorRetries"),
            Aim::Inbound | Aim::Outbound => None,
        }
    }

    fn levels(self, block: &str) -> Vec<String> {
        let direction = match self {
            Aim::App => return vec!["App".to_owned(), String::new()],
            Aim::Actor => return vec!["Actor".to_owned(), String::new()],
            Aim::Inbound => "ComponentInbound",
            Aim::Outbound => "ComponentOutbound",
        };
        let mut blocks = BLOCKS.iter();
        let block = blocks.find(|(known, _)| *known == block);
        let nearest = block.map(|(_, word)| format!("{word}{direction}"));
        let rest = [direction.to_owned(), String::new()];
        nearest.into_iter().chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let outbound = Aim::Outbound.default_retries("state");
        let expected = [
            "DefaultStatestoreComponentOutboundRetryPolicy",
            "DefaultComponentOutboundRetryPolicy",
            "DefaultRetryPolicy",
        ];
        assert_eq!(outbound, expected);
        let app = [
            "DefaultAppCircuitBreakerPolicy",
            "DefaultCircuitBreakerPolicy",
        ];
        assert_eq!(Aim::App.default_breakers(""), app);
        let actor = ["DefaultActorTimeoutPolicy", "DefaultTimeoutPolicy"];
        assert_eq!(Aim::Actor.default_timeouts(""), actor);
    }
}
