#!/bin/sh
# Runs once at the end of the build of a Debian-based image, on the build host; $1 is the new root.
set -eu
root=$1
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/info/*
rm -rf "$root"/usr/lib/x86_64-linux-gnu/perl "$root"/usr/share/perl "$root"/usr/share/i18n "$root"/usr/share/zoneinfo/right
# The database compiles no queries (it does without LLVM by itself), and its data are made where it runs.
rm -rf "$root"/usr/lib/*/libLLVM* "$root"/usr/lib/*/libz3.so* "$root"/usr/lib/llvm-* \
    "$root"/usr/lib/postgresql/*/lib/bitcode "$root"/usr/lib/postgresql/*/lib/llvmjit* \
    "$root"/var/lib/postgresql/15 "$root"/etc/postgresql/15
rm -rf "$root"/usr/share/javascript/moment-timezone/data/unpacked "$root"/usr/bin/promtool \
    "$root"/usr/bin/prometheus-snmp-generator
mkdir -p "$root/var/log/apt"
