# make demo      one login by SMS, end to end, on this machine and without changing it
# make test      everything that CI runs except format and lints
# make torture   the long forms of the hostile tests, name services in the sandbox in a separate root, and
#                other Rust toolchains; as root, about an hour
# make mutants   changes the code that decides, one place at a time: does a test fail? Hours; continues
#                where it was stopped; FILES='src/code.rs src/policy/*' or SHARD=0/8 for a part; as root
# make fuzz      libFuzzer, ten minutes for each target; TIME=60 is shorter, TARGET=phone is one target
# make bench     what one login costs, beside other modules, into docs/benchmarks.md; as root
# make bench-ledger   what one decision of the ledger costs, into docs/ledger-benchmarks.md; PEOPLE=10000 is quicker
# make           the module, the helper and the command, as they are installed
# make install   DESTDIR= PREFIX= LIBEXECDIR= PAMDIR= SYSCONFDIR= SYSUSERSDIR=; make uninstall

PREFIX     ?= /usr
LIBEXECDIR ?= $(PREFIX)/libexec
SBINDIR    ?= $(PREFIX)/sbin
SYSCONFDIR ?= /etc
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/pam-sms-otp
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
# Where this system keeps its PAM modules.
PAMDIR     ?= $(shell for so in /lib/*/security/pam_unix.so /usr/lib/*/security/pam_unix.so /lib64/security/pam_unix.so /usr/lib64/security/pam_unix.so /lib/security/pam_unix.so; do \
                  [ -e $$so ] && dirname $$so && break; done | grep . || echo /lib/security)
DESTDIR    ?=

CARGO   ?= cargo
INSTALL ?= install
BUILT    = $${CARGO_TARGET_DIR:-target}/release

.PHONY: all build demo test torture mutants fuzz bench bench-ledger lint install uninstall clean cargo

all: build

cargo:
	@command -v $(CARGO) >/dev/null || { \
	  echo "cargo is missing. On Debian 13: apt-get install cargo; elsewhere: https://rustup.rs (Rust 1.85 or newer)."; exit 1; }

# The paths of helper and settings are compiled into the module.
build: cargo
	@tests/lab/packages build
	SMS_OTP_LIBEXECDIR=$(LIBEXECDIR) SMS_OTP_SYSCONFDIR=$(SYSCONFDIR) $(CARGO) build --release --locked

# One command builds all of it, so that what both need is compiled once.
demo: cargo
	@tests/lab/packages lab
	$(CARGO) build --profile demo --locked -p sms-otp -p pam_sms_otp -p lab
	@built="$$(realpath "$${CARGO_TARGET_DIR:-target}")/demo"; LAB_PRODUCT="$$built" "$$built/demo"

test: cargo
	@tests/lab/packages lab
	$(CARGO) build --release --locked
	$(CARGO) test --workspace --locked

# tests/lab/names runs the test program, whose path cargo prints, in a separate root.
torture: cargo
	@tests/lab/packages lab
	$(CARGO) build --release --locked
	TORTURE=1 LAB_WORLD=required $(CARGO) test --locked --test main -- hostile
	@tests/lab/names "$$($(CARGO) test --locked --test main --no-run --message-format=json 2>/dev/null | \
	  sed -n 's/.*"executable":"\([^"]*\/main-[^"]*\)".*/\1/p')" "$$(realpath -m "$${CARGO_TARGET_DIR:-target}")/roots"
	TORTURE=1 $(CARGO) test --locked --lib --package sms-otp --package protocol --package pam_sms_otp -- properties
	@tests/lab/toolchains hostile

mutants: cargo
	@tests/lab/packages lab
	@tests/lab/mutants

# The same properties as in the tests. Nightly Rust; cargo-fuzz is built where it is missing.
TIME   ?= 600
TARGET ?=
fuzz: cargo
	@tests/lab/packages fuzz
	@TIME="$(TIME)" TARGET="$(TARGET)" fuzz/run

# Peers are unpacked into the target folder, which cargo creates first.
bench: cargo
	@tests/lab/packages build
	$(CARGO) build --release --locked -p sms-otp -p pam_sms_otp -p login-bench
	$(CARGO) build --profile symbols --locked -p sms-otp
	@tests/lab/packages bench
	@$(BUILT)/login-bench

# A separate workspace: nothing else needs its peers. DISK is where it measures: /tmp may be a tmpfs.
PEOPLE ?= 1000000
DISK   ?= /var/tmp
bench-ledger: cargo
	@tests/lab/packages bench-ledger
	$(CARGO) build --release --locked --manifest-path benches/ledger/Cargo.toml \
	  --target-dir $${CARGO_TARGET_DIR:-target}/bench
	@$${CARGO_TARGET_DIR:-target}/bench/release/bench $(PEOPLE) $(DISK)

lint: cargo
	@tests/lab/packages lint
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path benches/ledger/Cargo.toml --check
	$(CARGO) update --workspace --locked --quiet --manifest-path benches/ledger/Cargo.toml
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) update --workspace --locked --quiet --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Builds first, because the path of the helper is compiled into the module.
install: build
	$(INSTALL) -d $(DESTDIR)$(PAMDIR) $(DESTDIR)$(LIBEXECDIR)/pam_sms_otp $(DESTDIR)$(SBINDIR) \
	  $(DESTDIR)$(SYSCONFDIR)/security $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR)/pam.d $(DESTDIR)$(DOCDIR)/docs
	$(INSTALL) -m 644 $(BUILT)/libpam_sms_otp.so $(DESTDIR)$(PAMDIR)/pam_sms_otp.so
	$(INSTALL) -m 755 $(BUILT)/sms-otp-helper $(DESTDIR)$(LIBEXECDIR)/pam_sms_otp/helper
	$(INSTALL) -m 755 $(BUILT)/sms-otp $(DESTDIR)$(SBINDIR)/sms-otp
	[ -e $(DESTDIR)$(SYSCONFDIR)/security/sms_otp.toml ] || \
	  $(INSTALL) -m 600 conf/sms_otp.toml $(DESTDIR)$(SYSCONFDIR)/security/sms_otp.toml
	$(INSTALL) -m 644 packaging/sysusers.d/pam_sms_otp.conf $(DESTDIR)$(SYSUSERSDIR)
	$(INSTALL) -m 644 conf/sms_otp.toml README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE-* $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 docs/*.md docs/*.svg $(DESTDIR)$(DOCDIR)/docs
	$(INSTALL) -m 644 pam.d/* $(DESTDIR)$(DOCDIR)/pam.d
	$(INSTALL) -m 644 man/sms_otp.toml.5 $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 man/pam_sms_otp.8 man/sms-otp.8 $(DESTDIR)$(MANDIR)/man8
	@[ -n "$(DESTDIR)" ] || grep -q '^pam_sms_otp:' /etc/passwd || systemd-sysusers $(SYSUSERSDIR)/pam_sms_otp.conf || { \
	  echo "The user pam_sms_otp could not be created: see docs/sandbox.md. Without it the helper stays root."; }

# Settings and secrets stay: they are the administrator's.
uninstall:
	rm -f $(DESTDIR)$(PAMDIR)/pam_sms_otp.so $(DESTDIR)$(SBINDIR)/sms-otp $(DESTDIR)$(SYSUSERSDIR)/pam_sms_otp.conf \
	  $(DESTDIR)$(MANDIR)/man5/sms_otp.toml.5 $(DESTDIR)$(MANDIR)/man8/pam_sms_otp.8 $(DESTDIR)$(MANDIR)/man8/sms-otp.8
	rm -rf $(DESTDIR)$(LIBEXECDIR)/pam_sms_otp $(DESTDIR)$(DOCDIR)

clean:
	$(CARGO) clean
