#!/bin/sh
# Runs once at the end of the build of a Debian-based image, on the build host; $1 is the new root.
set -eu
root=$1
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/info/*
rm -rf "$root"/usr/lib/x86_64-linux-gnu/perl "$root"/usr/share/perl "$root"/usr/share/i18n "$root"/usr/share/zoneinfo/right
find "$root/usr" -name __pycache__ -type d -prune -exec rm -rf {} +
mkdir -p "$root/var/log/apt"
