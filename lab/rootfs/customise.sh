#!/bin/sh
# Runs once at the end of the build, on the build host; $1 is the new root file system.
set -eu
root=$1

# The mounts of pods reach the other pods of a node, as on real hardware, where systemd itself sees to it.
cat > "$root/etc/systemd/system/shared-mounts.service" <<'UNIT'
[Unit]
Description=Mounts are shared within this machine
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mount --make-rshared /

[Install]
WantedBy=sysinit.target
UNIT

# Users of services that are no packages.
for user in consul vault step; do
    chroot "$root" useradd --system --user-group --home-dir "/var/lib/$user" --shell /usr/sbin/nologin "$user"
done

# Nothing starts by itself except what every node has; the rest is enabled for the nodes that need it.
mkdir -p "$root/etc/systemd/system-preset"
cat > "$root/etc/systemd/system-preset/00-plumbline.preset" <<'PRESET'
enable ssh.service
enable shared-mounts.service
disable *
PRESET
chroot "$root" systemctl preset-all >/dev/null 2>&1
chroot "$root" systemctl set-default multi-user.target >/dev/null 2>&1

# These would reach through to the kernel that all nodes and the host share, or wait for hardware that is not there.
for unit in systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service systemd-networkd.service \
    systemd-networkd.socket systemd-resolved.service systemd-timesyncd.service systemd-logind.service \
    systemd-firstboot.service systemd-random-seed.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-pcrmachine.service systemd-machine-id-commit.service \
    getty.target getty@tty1.service console-getty.service serial-getty@.service \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount systemd-binfmt.service kmod-static-nodes.service \
    modprobe@.service systemd-ask-password-wall.path systemd-ask-password-console.path; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# The journal is the node's own: without the kernel ring buffer, which belongs to the host.
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/var/log/journal"
cat > "$root/etc/systemd/journald.conf.d/plumbline.conf" <<'JOURNALD'
[Journal]
Storage=persistent
ReadKMsg=no
SystemMaxUse=64M
RuntimeMaxUse=16M
RateLimitIntervalSec=0
JOURNALD

mkdir -p "$root/etc/systemd/system.conf.d"
cat > "$root/etc/systemd/system.conf.d/plumbline.conf" <<'SYSTEM'
[Manager]
DefaultTimeoutStopSec=10s
SYSTEM

cat > "$root/etc/ssh/sshd_config.d/plumbline.conf" <<'SSHD'
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 200
MaxSessions 200
PrintMotd no
PrintLastLog no
SSHD
rm -f "$root"/etc/ssh/ssh_host_*

# Every node gets its own identity at boot.
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/resolv.conf"
rm -f "$root/etc/openvswitch/conf.db" "$root/etc/openvswitch/system-id.conf"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/usr/share/doc/* "$root"/usr/share/man/* \
    "$root"/usr/share/locale/* "$root"/usr/share/info/* "$root"/usr/share/lintian
