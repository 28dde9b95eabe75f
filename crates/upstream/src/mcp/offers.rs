//! What the servers offer a user together: under which names, how much of it, and what is left out.
//!
//! Servers give most users the same list. It is kept once for all of them, and what is made of several lists (names that
//! are unique among them, what there is room for) once for each combination, and not in each turn.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, PoisonError},
    time::Duration,
};

use engine::ports::ToolSpec;
use moka::sync::Cache;

use super::{
    LeftOut, MAX_LEFT_OUT, McpServer, McpTools, Slot, name,
    session::{Listing, McpTool},
};

/// Lists that are kept for others to share; the one that was used longest ago goes first.
const MAX_LISTS: u64 = 256;
/// Combinations of lists whose names are kept.
const MAX_COMBINATIONS: u64 = 256;
/// What nobody used for this long is forgotten.
const IDLE: Duration = Duration::from_mins(10);

/// What one server offers a user.
pub(super) struct Offer {
    pub(super) server: usize,
    pub(super) slot: Arc<Slot>,
    pub(super) listing: Listing,
}

/// What all servers offer a user.
pub(super) struct Offers {
    pub(super) offers: Vec<Offer>,
    /// Whether a server had to be left out.
    pub(super) is_partial: bool,
}

/// What servers listed, and what was made of it.
pub(super) struct Lists {
    /// By the server's position and a hash of what is in them.
    shared: Cache<(usize, u64), Listing>,
    /// By the servers' positions and where their lists are in memory, which the entry itself keeps there.
    named: Cache<Vec<(usize, usize)>, Arc<Named>>,
}

/// Lists beside each other, under names that are unique among them.
pub(super) struct Named {
    /// What is offered, in the servers' order.
    pub(super) specs: Vec<ToolSpec>,
    /// By its offered name, which of the offers a tool is in, and where.
    places: HashMap<String, (usize, usize)>,
    /// What there was no room for.
    left_out: Vec<String>,
    /// Kept so that no other list comes to lie where one of these is.
    _lists: Vec<Arc<[McpTool]>>,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            shared: Cache::builder()
                .max_capacity(MAX_LISTS)
                .time_to_idle(IDLE)
                .build(),
            named: Cache::builder()
                .max_capacity(MAX_COMBINATIONS)
                .time_to_idle(IDLE)
                .build(),
        }
    }
}

impl Lists {
    /// The same list, which may have come for another user before.
    pub(super) fn share(&self, server: usize, listing: Listing) -> Listing {
        let mut hasher = DefaultHasher::new();
        listing.hash(&mut hasher);
        let key = (server, hasher.finish());
        match self.shared.get(&key) {
            Some(known) if known == listing => known,
            _ => {
                self.shared.insert(key, listing.clone());
                listing
            }
        }
    }
}

impl McpTools {
    /// What is offered of all this, worked out when it is seen for the first time.
    pub(super) fn offered(&self, offers: &[Offer]) -> Arc<Named> {
        let place = |offer: &Offer| {
            let list = Arc::as_ptr(&offer.listing.tools).cast::<()>();
            (offer.server, list.addr())
        };
        let key = offers.iter().map(place).collect();
        self.lists.named.get_with(key, || {
            let named = Arc::new(self.name(offers));
            self.leave_out(named.left_out.clone());
            named
        })
    }

    fn name(&self, offers: &[Offer]) -> Named {
        let lists = offers.iter().map(|offer| {
            let server = self.servers.get(offer.server);
            let tools = offer.listing.tools.iter();
            let tools = tools.map(|tool| tool.name.as_str()).collect();
            (server.map_or("", |server| server.name.as_str()), tools)
        });
        let names = name::assign(&lists.collect::<Vec<_>>());
        let mut specs = Vec::new();
        let mut places = HashMap::new();
        let mut left_out = Vec::new();
        for (number, (offer, names)) in offers.iter().zip(names).enumerate() {
            for (place, (tool, name)) in offer.listing.tools.iter().zip(names).enumerate() {
                if specs.len() >= self.max_tools {
                    left_out.push(name);
                    continue;
                }
                places.insert(name.clone(), (number, place));
                specs.push(ToolSpec {
                    name,
                    description: tool.description.clone(),
                    parameters: tool.parameters.clone(),
                });
            }
        }
        let lists = offers.iter().map(|offer| Arc::clone(&offer.listing.tools));
        Named {
            specs,
            places,
            left_out,
            _lists: lists.collect(),
        }
    }

    /// The server and the tool behind an offered name.
    pub(super) fn find(&self, offers: &[Offer], name: &str) -> Option<(usize, Arc<Slot>, McpTool)> {
        let (offer, place) = *self.offered(offers).places.get(name)?;
        let offer = offers.get(offer)?;
        let tool = offer.listing.tools.get(place)?;
        Some((offer.server, Arc::clone(&offer.slot), tool.clone()))
    }

    /// Says of each tool once why it cannot be offered: everybody's session lists it again, once a minute.
    pub(super) fn tell_left_out(&self, server: &McpServer, left_out: &[LeftOut]) {
        for LeftOut { name, reason } in self.news(server, left_out) {
            tracing::warn!(
                server = server.name,
                tool = name,
                reason,
                "a tool is left out"
            );
        }
    }

    /// What has not been told yet.
    pub(super) fn news<'a>(&self, server: &McpServer, left_out: &'a [LeftOut]) -> Vec<&'a LeftOut> {
        if left_out.is_empty() {
            return Vec::new();
        }
        let mut told = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = |tool: &&LeftOut| {
            told.len() < MAX_LEFT_OUT
                && told.insert(format!("{}/{}: {}", server.name, tool.name, tool.reason))
        };
        left_out.iter().filter(is_news).collect()
    }

    /// Says of each tool once that there is no room for it: people may be offered different ones.
    fn leave_out(&self, mut names: Vec<String>) {
        let mut told = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|name| told.len() < MAX_LEFT_OUT && told.insert(name.clone()));
        if !names.is_empty() {
            tracing::warn!(
                tools = names.join(", "),
                most = self.max_tools,
                "there are more tools than may be offered; these are left out"
            );
        }
    }
}
