#![forbid(unsafe_code)]

fn main() {
    ledger_bench::probe::main::<ledger_bench::engine::noop::Noop>();
}
