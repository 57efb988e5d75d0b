package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
)

// mountsVar is set where a test runs in a process that has mounts of its own.
const mountsVar = reservedEnv + "MOUNTS"

// ownMounts runs a test in a process that may mount disks, which vanish with it.
// It returns true there, and false, once that has ended, to the test that asked.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsVar) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mountsVar+"=1", demoVar+"="+demoFolder(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("this machine lets no process have mounts of its own: %v", err)
	case err != nil:
		t.Errorf("in a process with mounts of its own: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// memoryDisk returns the folder of a disk of that size, in memory.
func memoryDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill takes up the room on a disk until that many bytes are left, or all of it.
func fill(t *testing.T, disk string, left uint64) (free func()) {
	t.Helper()
	name := filepath.Join(disk, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s syscall.Statfs_t
	for block := make([]byte, 64<<10); err == nil; {
		if err := syscall.Statfs(disk, &s); err != nil {
			t.Fatal(err)
		}
		if s.Bavail*uint64(s.Bsize) <= left {
			break
		}
		_, err = f.Write(block)
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// onDisk is a register on a disk that fails.
type onDisk struct {
	*testing.T
	served
	data    string
	officer client
	acked   *acknowledged
}

func newOnDisk(t *testing.T, disk string, args ...string) *onDisk {
	d := &onDisk{T: t, data: filepath.Join(disk, "data"), acked: newAcknowledged()}
	d.served = startServer(t, d.data, args...)
	d.officer = d.client(t, d.data, "officer", "")
	host := demoEntity("disk host")
	a, err := d.officer.send(within(t), "/v1/entities/"+host.String()+"/register", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")})
	if err != nil {
		t.Fatal(err)
	}
	d.acked.add(a.Events)
	for n := range writers {
		if a, err = d.officer.send(within(t), d.lab(n)+"/propose", "", lab.Propose{Names: name("演示", "Demo"), Host: host}); err != nil {
			t.Fatal(err)
		}
		d.acked.add(a.Events)
	}
	// Commands are answered where the read model is late, too; a disk that is full
	// from now on would leave it so.
	eventually(within(t), t, "the read model holds every laboratory", func() bool {
		total, err := d.total()
		return err == nil && total == writers
	})
	return d
}

// total returns how many laboratories the read model holds.
func (d *onDisk) total() (int, error) {
	var l struct {
		Total int `json:"total"`
	}
	err := d.officer.get(within(d), "/v1/labs", &l)
	return l.Total, err
}

func (d *onDisk) lab(n int) string {
	return "/v1/labs/" + uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "crash %d", n)).String()
}

// note sends one command.
func (d *onDisk) note(what string) error {
	d.Helper()
	a, err := d.officer.send(within(d), d.lab(0)+"/assert-fact", "", lab.AssertFact{
		Grounds: domain.Grounds{Basis: domain.Basis{Source: "disk test"}}, Kind: "note", Text: domain.T("", what),
	})
	d.acked.add(a.Events)
	return err
}

// refused checks that a command is refused with the reason, and reading goes on.
func (d *onDisk) refused(what string) {
	d.Helper()
	var p *problem
	if err := d.note(what); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable ||
		p.Code != "writing-refused" || !strings.Contains(p.Detail, what) {
		d.Errorf("a command: %v; want one that says %q", err, what)
	}
	if err := d.officer.get(within(d), "/readyz", &struct{}{}); err == nil || !errors.As(err, &p) ||
		p.Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), what) {
		d.Errorf("readyz: %v; want %q", err, what)
	}
	d.reads()
}

func (d *onDisk) reads() {
	d.Helper()
	// After a restart the read model may still be reading the ledger.
	eventually(within(d), d.T, "all laboratories are read", func() bool {
		total, err := d.total()
		return err == nil && total == writers
	})
	if err := d.officer.get(within(d), d.lab(0)+"/history", &struct{}{}); err != nil {
		d.Error(err)
	}
}

// hammer writes until every writer was refused, by a 503 each.
func (d *onDisk) hammer(then func()) {
	d.Helper()
	var load sync.WaitGroup
	ctx, stop := context.WithCancel(within(d))
	defer stop()
	before := d.acked.count()
	for n := range writers {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				a, err := d.officer.send(ctx, d.lab(n)+"/assert-fact", "", lab.AssertFact{
					Grounds: domain.Grounds{Basis: domain.Basis{Source: "disk test"}}, Kind: "note",
					Text: domain.T("", fmt.Sprintf("%d %s", i, strings.Repeat("long ", 500))),
				})
				d.acked.add(a.Events)
				var p *problem
				if errors.As(err, &p) && p.Status != http.StatusServiceUnavailable {
					d.Errorf("a command on a disk that cannot be written: %d %v", p.Status, err)
				}
				if err != nil {
					return
				}
			}
		})
	}
	d.acked.await(ctx, d.T, before+20)
	then()
	load.Wait()
}

// checkRestart checks that every acknowledged event is there after a restart, and
// that the read model and the log follow from the ledger.
func (d *onDisk) checkRestart() {
	d.Helper()
	d.kill()
	there := ledger(d.T, d.data)
	for id := range d.acked.events {
		if !there[id] {
			d.Errorf("event %s was acknowledged and is gone", id)
		}
	}
	d.Logf("%d events acknowledged, %d in the ledger", d.acked.count(), len(there))
	d.served = startServer(d, d.data)
	d.officer.base = d.url
	if err := d.note("after a restart"); err != nil {
		d.Error(err)
	}
	d.reads()
	d.stop(d)
	if got := output(d, "verify", "--data", d.data); !strings.Contains(got, " 0 differences") {
		d.Error(got)
	}
	if got := output(d, "audit", "check", "--data", d.data); !strings.Contains(
		got, "are as they were taken into the log",
	) {
		d.Error(got)
	}
}

func TestDiskNearlyFull(t *testing.T) {
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	disk := memoryDisk(t, "128m")
	d := newOnDisk(t, disk)
	free := fill(t, disk, 60<<20)
	d.refused("nearly full")
	free()
	if err := d.note("there is room again, without a restart"); err != nil {
		t.Error(err)
	}
	if err := d.officer.get(within(t), "/readyz", &struct{}{}); err != nil {
		t.Error(err)
	}
	d.checkRestart()
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	disk := memoryDisk(t, "160m")
	d := newOnDisk(t, disk, "--disk-reserve", "-1") // another process fills the disk at once
	var free func()
	d.hammer(func() { free = fill(t, disk, 0) })
	d.refused("restart")
	free()
	d.refused("restart") // what the store could not write is found out at the next start
	d.checkRestart()
}

func TestBackupWithoutRoom(t *testing.T) {
	skipShort(t)
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	data, file, keys := demoBackup(t)
	tiny := memoryDisk(t, "160k")
	for _, args := range [][]string{
		{"backup", filepath.Join(tiny, "backup.zip")}, {"audit", "export", filepath.Join(tiny, "pack.zip")},
	} {
		cmd := run(t, append(args, "--data", data)...)
		cmd.Stderr = nil
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no space left on device") {
			t.Errorf("%v: %v %s", args, err, out)
		}
		if left, err := os.ReadDir(tiny); err != nil || len(left) > 0 {
			t.Errorf("%v leaves %v, %v", args, left, err)
		}
	}
	little := memoryDisk(t, "66m") // more than is kept free, and less than it takes besides
	to := filepath.Join(little, "data")
	free := fill(t, little, 600<<10)
	cmd := run(t, "restore", "--data", to, "--secrets", keys, file)
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a restore without room: %s", out)
	}
	cmd = run(t, "serve", "--data", to, "--listen", "127.0.0.1:0")
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "run jointlab restore again") {
		t.Errorf("serve after a restore without room: %v %s", err, out)
	}
	free()
	if err := syscall.Mount("", little, "", syscall.MS_REMOUNT, "size=160m"); err != nil {
		t.Fatal(err)
	}
	output(t, "restore", "--data", to, "--secrets", keys, file)
	healthy(t, "--data", to)
}

// The node's own disk is full, and the ledger is on another machine's.
func TestReadModelOnFullDisk(t *testing.T) {
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	away, err := server.NewServer(&server.Options{
		Host:       "127.0.0.1",
		Port:       -1,
		NoLog:      true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   t.TempDir(),
		SyncAlways: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	go away.Start()
	t.Cleanup(func() { away.Shutdown(); away.WaitForShutdown() })
	if !away.ReadyForConnections(hang) {
		t.Fatal("the NATS server does not start")
	}
	disk := memoryDisk(t, "32m")
	where := []string{"--store", outsideNATS, "--nats-url", away.ClientURL()}
	d := newOnDisk(t, disk, where...)
	free := fill(t, disk, 0)
	ready := func() error { return d.officer.get(within(t), "/readyz", &struct{}{}) }
	stopped := func() bool {
		err := ready()
		return err != nil && strings.Contains(err.Error(), "the read model has stopped")
	}
	for i := 0; !stopped(); i++ { // the log, which has its checkpoints there, may fail first
		if i == 500 {
			t.Fatal("a read model on a full disk takes in 500 events and says only:", ready())
		}
		if err := d.note(strings.Repeat("long ", 700)); err != nil {
			t.Fatal("the ledger's disk is not full:", err)
		}
	}
	d.reads()
	free()
	eventually(within(t), t, "the read model catches up, without a restart", func() bool { return ready() == nil })
	d.stop(t)
	if got := output(t, append([]string{
		"verify", "--data", d.data,
	}, where...)...); !strings.Contains(got, " 0 differences") {
		t.Error(got)
	}
}

func TestDiskTurnsReadOnly(t *testing.T) {
	t.Parallel()
	if !ownMounts(t) {
		return
	}
	dir := t.TempDir()
	image, disk := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(
		os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20), os.Mkdir(disk, 0o700),
	); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop,errors=remount-ro", image, disk}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("a disk whose file system fails cannot be made here: %s: %v %s", args[0], err, out)
		}
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	device, err := exec.Command("findmnt", "-n", "-o", "SOURCE", disk).Output()
	if err != nil {
		t.Skipf("the device of that disk cannot be named here: findmnt: %v", err)
	}
	d := newOnDisk(t, disk)
	d.hammer(func() { // as the kernel does when the disk gives an error
		if err := os.WriteFile(
			"/sys/fs/ext4/"+filepath.Base(strings.TrimSpace(string(device)))+"/trigger_fs_error", []byte("on purpose"), 0o200,
		); err != nil {
			t.Fatal(err)
		}
	})
	d.refused("restart")
	d.kill()
	cmd := run(t, "serve", "--data", d.data, "--listen", "127.0.0.1:0")
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "read-only file system") {
		t.Errorf("a start on a read-only disk: %v %s", err, out)
	}
	for _, args := range [][]string{{"umount", disk}, {"mount", "-o", "loop,errors=remount-ro", image, disk}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	d.checkRestart()
}
