# What contributors run. `just check` is what CI runs, without installing anything.

# Lists the recipes
default:
    @just --list

# Formats
fmt:
    cargo fmt --all

# Everything that CI checks
check: lint test docs deps

# Formatting and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    typos

# All tests
test:
    cargo test --workspace

# The documentation
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, sources, bans, and dependencies that nothing uses
deps:
    cargo deny --all-features --offline check bans licenses sources
    cargo machete

# Known vulnerabilities; needs the network
advisories:
    cargo deny check advisories

# Benchmarks; each prints its ratios to a named peer
bench:
    cargo bench --workspace
