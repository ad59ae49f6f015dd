//! All users: an immutable snapshot, and the newest of them.
//!
//! Every core keeps an `Arc<Users>`; ACL SETUSER, DELUSER, LOAD and CONFIG SET requirepass make the next one here ([`change`]) and then visit all cores, which take the newest
//! (`session::commands::acl`). Invariant: generations only grow, so whoever finds his own behind must look his user up again; the user `default` always exists.
//! Bounds: none. Why a lock: changes are rare and on no command's path, and two at once must lose nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::describe;
use super::user::User;

/// Name of the user that connections begin with.
pub const DEFAULT: &[u8] = b"default";

static NEWEST: Mutex<Option<Arc<Users>>> = Mutex::new(None);
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// All users at one moment.
#[derive(Clone, Debug)]
pub struct Users {
    generation: u32,
    by_name: BTreeMap<Vec<u8>, Arc<User>>,
    default: Arc<User>,
}

impl Default for Users {
    fn default() -> Users {
        let default = Arc::new(User::new_default(next_serial()));
        let by_name = BTreeMap::from([(DEFAULT.to_vec(), Arc::clone(&default))]);
        Users { generation: 1, by_name, default }
    }
}

/// A serial for a new user.
pub fn next_serial() -> u64 {
    NEXT_SERIAL.fetch_add(1, Ordering::Relaxed)
}

impl Users {
    /// Which snapshot it is; never 0.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The default user.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    /// Whether a connection may do anything before it has logged in.
    pub fn is_open(&self) -> bool {
        self.default.nopass && self.default.enabled
    }

    /// The user of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// All users by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// Adds a user or replaces the one of its name.
    pub fn put(&mut self, user: User) {
        let user = Arc::new(user);
        if user.name == DEFAULT {
            self.default = Arc::clone(&user);
        }
        self.by_name.insert(user.name.clone(), user);
    }

    /// Removes a user; the default one stays. Whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        name != DEFAULT && self.by_name.remove(name).is_some()
    }

    /// requirepass: the default user's only password; empty is none.
    pub fn set_default_password(&mut self, password: &[u8]) {
        let mut user = User::clone(&self.default);
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        for rule in [&b"resetpass"[..], &rule] {
            let applied = user.apply(rule, true);
            debug_assert!(applied.is_ok());
        }
        self.put(user);
    }

    /// `name rules` of every user, as files hold them.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let line = |user: &Arc<User>| [user.name.as_slice(), b" ", &describe::user_rules(user)].concat();
        self.iter().map(line).collect()
    }
}

/// The newest snapshot.
pub fn newest() -> Arc<Users> {
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(newest.get_or_insert_with(Arc::default))
}

/// The first snapshot, before any core is there.
pub fn install(users: Users) {
    *NEWEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(users));
}

/// Makes the next snapshot from the newest by `edit`. Errors: those of `edit`; nothing has changed then.
pub fn change<T, E>(edit: impl FnOnce(&mut Users) -> Result<T, E>) -> Result<T, E> {
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut users = Users::clone(newest.get_or_insert_with(Arc::default));
    let next = (users.generation.wrapping_add(1) & GENERATION_MAX).max(1);
    let result = edit(&mut users)?;
    users.generation = next;
    *newest = Some(Arc::new(users));
    Ok(result)
}

/// Generations are kept shifted by one bit in a session's tag.
const GENERATION_MAX: u32 = u32::MAX >> 1;
