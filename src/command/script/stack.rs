//! The door to Lua's C interface: everything unsafe about values on its stack is in this file and in [`super::state`].
//!
//! Native functions ([`Body`]) get a [`Stack`] and use only its safe methods; [`Stack::push_native`] makes a Lua function of one. An error is
//! returned as [`Raise`], never thrown: the trampoline throws when no Rust frame with something to drop is left.
//!
//! Invariant: no method here runs Lua code or meta-methods (raw access only) except [`Stack::pcall`], so none can jump over its caller; running out of memory
//! inside one aborts the process like any Rust allocation (`state::allocate`). There are no `__gc` meta-methods: the sandbox has no way to make one.
//! Bounds: callers ask [`Stack::reserve`] before they push more than 20 values (what Lua guarantees).
//! Why not mlua's safe layer: redis' errors are tables raised by C functions, and the position an error names is that of the caller: a wrapper written in Lua would
//! itself be the caller, and vanish in tail calls; mlua's own errors are userdata, which scripts would see.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;

use mlua::ffi;

use super::state;

pub use mlua::ffi::lua_State as RawState;

/// How a native function fails; `Copy`, so that nothing is left to drop when it is thrown.
#[derive(Clone, Copy, Debug)]
pub enum Raise {
    /// The error value is on top of the stack.
    Top,
    /// The string on top of the stack, behind the place the function was called from.
    Where,
    /// Argument number and what is wrong with it.
    Argument(i32, &'static CStr),
    /// Argument number and the type expected.
    Type(i32, &'static CStr),
    /// Not an error: `next` on table 1 with key 2 (the interpreter throws if the key is not the table's).
    Next,
    /// Not an error: calls the function below so many arguments on top, unprotected, and returns its results.
    Call(i32),
}

/// What a native function returns: how many of the topmost values are its results.
pub type Native = Result<i32, Raise>;
/// A native function.
pub type Body = fn(&mut Stack<'_>) -> Native;

/// Lua's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is Lua's type of its name")]
pub enum Kind {
    None,
    Nil,
    Boolean,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

/// Where a function on the call stack is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whether it is a C (or native) function.
    pub is_native: bool,
    /// Its chunk's name as given (`@user_script`).
    pub source: Vec<u8>,
    /// Line it is executing, -1 if unknown.
    pub line: i32,
}

/// A Lua stack while a native function (or the engine) uses it. Indexes are Lua's: from 1 upwards, negative from the top.
pub struct Stack<'s> {
    raw: *mut RawState,
    lifetime: PhantomData<&'s mut RawState>,
}

/// Index of the registry.
pub const REGISTRY: i32 = ffi::LUA_REGISTRYINDEX;
/// Index of the globals.
pub const GLOBALS: i32 = ffi::LUA_GLOBALSINDEX;

/// The pseudo index of up-value `index` of the running native function (from 1).
pub const fn upvalue(index: i32) -> i32 {
    // The first up-value is the body.
    ffi::lua_upvalueindex(index + 1)
}

unsafe extern "C-unwind" fn trampoline(raw: *mut RawState) -> c_int {
    // SAFETY: up-value 1 of every function with this trampoline is a `Body`, put there by `push_native`.
    let body: Body = unsafe {
        let pointer = ffi::lua_touserdata(raw, ffi::lua_upvalueindex(1));
        std::mem::transmute::<*mut c_void, Body>(pointer)
    };
    let was = state::set_in_lua(false);
    let result = body(&mut Stack { raw, lifetime: PhantomData });
    state::set_in_lua(was);
    let raise = match result {
        Ok(count) => return count,
        Err(raise) => raise,
    };
    // SAFETY: these throw by longjmp to the innermost protected call; this frame and those between have nothing to drop.
    unsafe {
        match raise {
            Raise::Top => {}
            Raise::Where => {
                ffi::luaL_where(raw, 1);
                ffi::lua_insert(raw, -2);
                ffi::lua_concat(raw, 2);
            }
            Raise::Argument(index, what) => return ffi::luaL_argerror(raw, index, what.as_ptr()),
            Raise::Type(index, name) => return ffi::luaL_typerror(raw, index, name.as_ptr()),
            Raise::Next if ffi::lua_next(raw, 1) != 0 => return 2,
            Raise::Next => {
                ffi::lua_pushnil(raw);
                return 1;
            }
            Raise::Call(count) => {
                let below = ffi::lua_gettop(raw) - count - 1;
                ffi::lua_call(raw, count, ffi::LUA_MULTRET);
                return ffi::lua_gettop(raw) - below;
            }
        }
        ffi::lua_error(raw)
    }
}

impl<'s> Stack<'s> {
    /// Wraps a raw state.
    ///
    /// # Safety
    /// `raw` is a live state that nobody else uses for `'s`.
    pub unsafe fn new(raw: *mut RawState) -> Stack<'s> {
        Stack { raw, lifetime: PhantomData }
    }

    /// The raw state.
    pub fn raw(&self) -> *mut RawState {
        self.raw
    }

    /// Number of values on the stack.
    #[inline]
    pub fn top(&self) -> i32 {
        // SAFETY: the state is live.
        unsafe { ffi::lua_gettop(self.raw) }
    }

    /// Cuts or fills (with nil) the stack to `top` values.
    pub fn set_top(&mut self, top: i32) {
        // SAFETY: growing is only by a few, within the room every function has.
        unsafe { ffi::lua_settop(self.raw, top) }
    }

    /// Drops the `count` topmost values.
    #[inline]
    pub fn pop(&mut self, count: i32) {
        // SAFETY: callers pop what they pushed.
        unsafe { ffi::lua_settop(self.raw, -count - 1) }
    }

    /// Makes room for `count` more values; false if the stack would be too deep.
    #[must_use]
    pub fn reserve(&mut self, count: usize) -> bool {
        let Ok(count) = c_int::try_from(count) else { return false };
        // SAFETY: asks only; a refusal is reported.
        unsafe { ffi::lua_checkstack(self.raw, count) != 0 }
    }

    /// The type of value `index`.
    #[inline]
    pub fn kind(&self, index: i32) -> Kind {
        // SAFETY: any index is acceptable to lua_type.
        match unsafe { ffi::lua_type(self.raw, index) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::LightUserdata,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TUSERDATA => Kind::Userdata,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::None,
        }
    }

    /// Whether value `index` is nil or absent.
    pub fn is_absent(&self, index: i32) -> bool {
        matches!(self.kind(index), Kind::None | Kind::Nil)
    }

    /// Lua's name of the type of value `index`.
    pub fn kind_name(&self, index: i32) -> &'static str {
        match self.kind(index) {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::LightUserdata | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
        }
    }

    // --- reading values --------------------------------------------------------------------------------------------------

    /// The bytes of a string; `None` for anything else (numbers too).
    #[inline]
    pub fn bytes(&self, index: i32) -> Option<&[u8]> {
        if self.kind(index) != Kind::String {
            return None;
        }
        let mut len = 0;
        // SAFETY: a string's bytes live as long as it is on the stack, and nothing is popped while `self` is borrowed.
        unsafe {
            let data = ffi::lua_tolstring(self.raw, index, &raw mut len);
            Some(std::slice::from_raw_parts(data.cast(), len))
        }
    }

    /// The bytes of a string or number; a number at `index` becomes a string in place, as Lua does.
    pub fn coerced(&mut self, index: i32) -> Option<&[u8]> {
        if !matches!(self.kind(index), Kind::String | Kind::Number) {
            return None;
        }
        let mut len = 0;
        // SAFETY: as in `bytes`; the conversion allocates at most.
        unsafe {
            let data = ffi::lua_tolstring(self.raw, index, &raw mut len);
            Some(std::slice::from_raw_parts(data.cast(), len))
        }
    }

    /// The number at `index`, or that a string there spells.
    pub fn coerced_number(&self, index: i32) -> Option<f64> {
        // SAFETY: reads only.
        unsafe { (ffi::lua_isnumber(self.raw, index) != 0).then(|| ffi::lua_tonumber(self.raw, index)) }
    }

    /// The number at `index`; `None` for anything else.
    #[inline]
    pub fn number(&self, index: i32) -> Option<f64> {
        // SAFETY: reads only.
        (self.kind(index) == Kind::Number).then(|| unsafe { ffi::lua_tonumber(self.raw, index) })
    }

    /// The truth of value `index`.
    pub fn truth(&self, index: i32) -> bool {
        // SAFETY: reads only.
        unsafe { ffi::lua_toboolean(self.raw, index) != 0 }
    }

    /// The length of a table (a border) or string.
    pub fn raw_len(&self, index: i32) -> usize {
        // SAFETY: reads only.
        unsafe { ffi::lua_objlen(self.raw, index) }
    }

    /// The identity of a reference value.
    pub fn identity(&self, index: i32) -> usize {
        // SAFETY: reads only; the pointer is not followed.
        unsafe { ffi::lua_topointer(self.raw, index) as usize }
    }

    /// Whether two values are the same, without meta-methods.
    pub fn raw_equal(&self, one: i32, other: i32) -> bool {
        // SAFETY: reads only.
        unsafe { ffi::lua_rawequal(self.raw, one, other) != 0 }
    }

    // --- writing values --------------------------------------------------------------------------------------------------

    /// Pushes nil.
    #[inline]
    pub fn push_nil(&mut self) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.raw) }
    }

    /// Pushes a truth value.
    #[inline]
    pub fn push_bool(&mut self, value: bool) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.raw, value as c_int) }
    }

    /// Pushes a number.
    #[inline]
    pub fn push_number(&mut self, value: f64) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.raw, value) }
    }

    /// Pushes a copy of `bytes` as a string.
    #[inline]
    pub fn push_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // SAFETY: the bytes are copied; an empty slice's pointer is never read.
        unsafe { ffi::lua_pushlstring_(self.raw, bytes.as_ptr().cast(), bytes.len()) }
    }

    /// Pushes the null light userdata (`cjson.null`).
    pub fn push_null(&mut self) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.raw, std::ptr::null_mut()) }
    }

    /// Whether value `index` is the null light userdata.
    pub fn is_null(&self, index: i32) -> bool {
        // SAFETY: reads only.
        self.kind(index) == Kind::LightUserdata && unsafe { ffi::lua_touserdata(self.raw, index).is_null() }
    }

    /// Pushes a native function.
    pub fn push_native(&mut self, body: Body) {
        self.push_closure(body, 0);
    }

    /// Pushes a native function whose up-values are the `count` topmost values, which it takes.
    pub fn push_closure(&mut self, body: Body, count: i32) {
        // SAFETY: the trampoline finds the body as its first up-value; function and data pointers have one size here.
        unsafe {
            ffi::lua_pushlightuserdata(self.raw, body as *mut c_void);
            ffi::lua_insert(self.raw, -count - 1);
            ffi::lua_pushcclosure(self.raw, trampoline, count + 1);
        }
    }

    /// Pushes a copy of value `index`.
    #[inline]
    pub fn push_value(&mut self, index: i32) {
        // SAFETY: callers name values that exist.
        unsafe { ffi::lua_pushvalue(self.raw, index) }
    }

    /// Moves the top value to `index`, shifting those above.
    pub fn insert(&mut self, index: i32) {
        // SAFETY: callers name values that exist.
        unsafe { ffi::lua_insert(self.raw, index) }
    }

    /// Takes value `index` out.
    pub fn remove(&mut self, index: i32) {
        // SAFETY: callers name values that exist.
        unsafe { ffi::lua_remove(self.raw, index) }
    }

    /// Moves the top value into the place of value `index`.
    pub fn replace(&mut self, index: i32) {
        // SAFETY: callers name values that exist.
        unsafe { ffi::lua_replace(self.raw, index) }
    }

    // --- tables, without meta-methods ------------------------------------------------------------------------------------

    /// Pushes a new table with room for `items` and `fields`.
    pub fn new_table(&mut self, items: usize, fields: usize) {
        let bound = |count: usize| count.min(1 << 20) as c_int;
        // SAFETY: the sizes are hints within bounds.
        unsafe { ffi::lua_createtable(self.raw, bound(items), bound(fields)) }
    }

    /// Replaces the key on top by its value in table `index`.
    pub fn raw_get(&mut self, index: i32) {
        // SAFETY: callers name a table.
        unsafe { ffi::lua_rawget_(self.raw, index) }
    }

    /// Pushes item `item` of table `index`.
    #[inline]
    pub fn raw_get_item(&mut self, index: i32, item: usize) {
        // SAFETY: callers name a table; items beyond i32 do not exist.
        unsafe { ffi::lua_rawgeti_(self.raw, index, c_int::try_from(item).unwrap_or(c_int::MAX)) }
    }

    /// Pushes field `name` of table `index`.
    pub fn raw_get_field(&mut self, index: i32, name: &str) {
        let index = self.absolute(index);
        self.push_bytes(name);
        self.raw_get(index);
    }

    /// Sets the value on top under the key below it in table `index`, and takes both. The key is neither nil nor NaN.
    pub fn raw_set(&mut self, index: i32) {
        // SAFETY: callers name a table and bring an acceptable key.
        unsafe { ffi::lua_rawset(self.raw, index) }
    }

    /// Sets item `item` of table `index` to the value on top, and takes it.
    #[inline]
    pub fn raw_set_item(&mut self, index: i32, item: usize) {
        // SAFETY: callers name a table.
        unsafe { ffi::lua_rawseti_(self.raw, index, c_int::try_from(item).unwrap_or(c_int::MAX)) }
    }

    /// Sets field `name` of table `index` to the value on top, and takes it.
    pub fn raw_set_field(&mut self, index: i32, name: &str) {
        let index = self.absolute(index);
        self.push_bytes(name);
        self.insert(-2);
        self.raw_set(index);
    }

    /// Replaces the key on top by the next key and its value in table `index`; false (and the key gone) after the last. The
    /// key must be one of the table's, or nil.
    pub fn next(&mut self, index: i32) -> bool {
        // SAFETY: the key comes from the same traversal, so it is found.
        unsafe { ffi::lua_next(self.raw, index) != 0 }
    }

    /// Pushes the meta-table of value `index`, if it has one.
    pub fn push_metatable(&mut self, index: i32) -> bool {
        // SAFETY: reads only.
        unsafe { ffi::lua_getmetatable(self.raw, index) != 0 }
    }

    /// Gives value `index` the table (or nil) on top as its meta-table, and takes it.
    pub fn set_metatable(&mut self, index: i32) {
        // SAFETY: a table or nil is on top.
        unsafe { ffi::lua_setmetatable(self.raw, index) };
    }

    /// `index` counted from the bottom (pseudo indexes stay).
    pub fn absolute(&self, index: i32) -> i32 {
        if index < 0 && index > REGISTRY { self.top() + index + 1 } else { index }
    }

    // --- calls and errors ------------------------------------------------------------------------------------------------

    /// Calls the function below the `count` topmost values with these; results, or one error value, replace them.
    /// `handler` (0: none) is the index of an error handler. False on an error.
    pub fn pcall(&mut self, count: i32, handler: i32) -> bool {
        let was = state::set_in_lua(true);
        // SAFETY: errors end in this protected call; Rust frames below it are not jumped over.
        let ok = unsafe { ffi::lua_pcall(self.raw, count, ffi::LUA_MULTRET, handler) == ffi::LUA_OK };
        state::set_in_lua(was);
        ok
    }

    /// Compiles text (never byte code) as a chunk called `name`; pushes the function, or the error message and returns false.
    pub fn load(&mut self, text: &[u8], name: &CStr) -> bool {
        // SAFETY: pointer and length are of one slice; a text that does not begin with ESC is parsed, not undumped.
        unsafe {
            if text.first() == Some(&0x1b) {
                // A blank in front: the parser then meets the character and says what it thinks of it.
                let text = [b" ", text].concat();
                return self.load_text(&text, name);
            }
            self.load_text(text, name)
        }
    }

    /// # Safety
    /// `text` must not begin with ESC.
    unsafe fn load_text(&mut self, text: &[u8], name: &CStr) -> bool {
        // SAFETY: pointer and length are of one slice.
        let status =
            unsafe { ffi::luaL_loadbuffer(self.raw, text.as_ptr().cast(), text.len(), name.as_ptr()) };
        status == ffi::LUA_OK
    }

    /// What runs at `level` (0: the running native function itself).
    pub fn place(&mut self, level: i32) -> Option<Place> {
        // SAFETY: the debug record is plain data that Lua fills in; its strings are copied before anything else runs.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.raw, level, &raw mut record) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.raw, c"nSl".as_ptr(), &raw mut record);
            Some(Place {
                is_native: CStr::from_ptr(record.what).to_bytes() == b"C",
                source: CStr::from_ptr(record.source).to_bytes().to_vec(),
                line: record.currentline,
            })
        }
    }

    /// The name the running native function was called by.
    pub fn caller_name(&mut self) -> Option<Vec<u8>> {
        // SAFETY: as in `place`.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.raw, 0, &raw mut record) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.raw, c"n".as_ptr(), &raw mut record);
            (!record.name.is_null()).then(|| CStr::from_ptr(record.name).to_bytes().to_vec())
        }
    }

    /// Fails with `text` behind the place the function was called from.
    pub fn fail<T>(&mut self, text: impl AsRef<[u8]>) -> Result<T, Raise> {
        self.push_bytes(text);
        Err(Raise::Where)
    }
}
