//! Runs the future of one request.
//!
//! `wasm_bindgen_futures` puts every poll into a queue that a microtask empties, so that tasks may wake each
//! other. A request wakes nobody but itself: it is polled at once, when it begins and in the very callback that
//! brings what it waited for. That saves two microtasks for each wait.
//!
//! Invariant: a task is either in [`TASKS`], waiting, or in the hands of [`advance`], never both; a wake-up that
//! comes while it is polled is not lost.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

struct Task {
    future: Pin<Box<dyn Future<Output = JsValue>>>,
    resolve: Function,
}

#[derive(Default)]
struct Tasks {
    waiting: HashMap<u64, Task>,
    last: u64,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

struct Wakeup {
    task: u64,
    has_come: AtomicBool,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.has_come.store(true, Ordering::Relaxed);
        if let Some(task) = TASKS.with_borrow_mut(|tasks| tasks.waiting.remove(&self.task)) {
            advance(task, &self);
        }
    }
}

/// Runs `future` as far as it gets: its value, or a promise of it.
pub(crate) fn run(future: impl Future<Output = JsValue> + 'static) -> JsValue {
    let mut future: Pin<Box<dyn Future<Output = JsValue>>> = Box::pin(future);
    let task = TASKS.with_borrow_mut(|tasks| {
        tasks.last += 1;
        tasks.last
    });
    let wakeup = Arc::new(Wakeup {
        task,
        has_come: AtomicBool::new(false),
    });
    if let Poll::Ready(value) = poll(&mut future, &wakeup) {
        return value;
    }
    let mut resolve = None;
    let promise = Promise::new(&mut |resolver, _| resolve = Some(resolver));
    if let Some(resolve) = resolve {
        TASKS.with_borrow_mut(|tasks| tasks.waiting.insert(task, Task { future, resolve }));
    }
    promise.into()
}

fn advance(mut task: Task, wakeup: &Arc<Wakeup>) {
    match poll(&mut task.future, wakeup) {
        // Resolving a promise does not throw.
        Poll::Ready(value) => drop(task.resolve.call1(&JsValue::UNDEFINED, &value)),
        Poll::Pending => {
            TASKS.with_borrow_mut(|tasks| tasks.waiting.insert(wakeup.task, task));
        }
    }
}

/// Polls until the future is done, or waits for a wake-up that has not come yet.
fn poll(future: &mut Pin<Box<dyn Future<Output = JsValue>>>, wakeup: &Arc<Wakeup>) -> Poll<JsValue> {
    let waker = Waker::from(Arc::clone(wakeup));
    loop {
        wakeup.has_come.store(false, Ordering::Relaxed);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() || !wakeup.has_come.load(Ordering::Relaxed) {
            return polled;
        }
    }
}
