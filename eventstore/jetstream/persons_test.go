package jetstream

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
)

func named(t *testing.T, p *Persons, id string) (uuid.UUID, eventstore.PersonKey) {
	t.Helper()
	ref, key, err := p.Named(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return ref, key
}

// holding lists the files below dir that hold some bytes.
func holding(t *testing.T, dir string, what []byte) (files []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, what) {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestConcurrentNaming(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	var numbers sync.Map
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			ref, key, err := newPersons(l, dir, nil).Named(t.Context(), "orcid:0000-0001-2345-6789")
			if err != nil {
				t.Error(err)
			}
			numbers.Store(ref, key)
		})
	}
	running.Wait()
	ref, key := named(t, l.Persons(), "orcid:0000-0001-2345-6789")
	numbers.Range(func(other, k any) bool {
		if other != ref || k != key {
			t.Errorf("two numbers for one person: %v, %v", other, ref)
		}
		return true
	})
	info, err := l.js.Stream(t.Context(), personStream)
	if err != nil {
		t.Fatal(err)
	}
	if n := info.CachedInfo().State.Msgs; n != 3 {
		t.Errorf("%d entries: keys that belong to nobody were left", n)
	}
	if other, _ := named(t, l.Persons(), "someone else"); other == ref {
		t.Error("two persons have one number")
	}
}

func TestErasedKeyLeavesDisk(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	ref, _ := named(t, l.Persons(), "张三")
	other, otherKey := named(t, l.Persons(), "李四")
	kept, err := l.lastOnLeader(t.Context(), personStream, personKeys+ref.String())
	if err != nil || len(holding(t, dir, kept.Data)) == 0 {
		t.Fatal("the key is not on the disk before it is erased, so nothing is shown", err)
	}
	index := []byte(l.persons.kept.idSubject("张三"))
	for range 2 {
		if err := l.Persons().Erase(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	again := func(l *Ledger) {
		t.Helper()
		if _, found, err := l.Persons().Key(t.Context(), ref); found || err != nil {
			t.Fatal("the key is still there", err)
		}
		if _, found, err := l.Persons().Find(t.Context(), "张三"); found || err != nil {
			t.Fatal("the person is still found", err)
		}
		if key, found, err := l.Persons().Key(t.Context(), other); !found || err != nil || key != otherKey {
			t.Fatal("another person's key is gone too", err)
		}
		for _, erased := range [][]byte{kept.Data, index[len(personIDs):]} {
			if files := holding(t, dir, erased); len(files) > 0 {
				t.Fatal("what was erased is still in", files)
			}
		}
	}
	again(l)
	closeLedger(t, l)
	l = open(t, dir)
	again(l)
	if now, _ := named(t, l.Persons(), "张三"); now == ref {
		t.Error("a person who is named anew after the erasure has the old number")
	}
}

func TestForeignPersonKey(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.Persons().Check(t.Context()); err != nil {
		t.Fatal("a register without persons asks for a key:", err)
	}
	ref, _ := named(t, l.Persons(), "张三")
	right, err := os.ReadFile(filepath.Join(dir, PersonKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(dir, says string) {
		t.Helper()
		p := newPersons(l, dir, nil)
		_, _, byName := p.Named(t.Context(), "张三")
		_, _, byRef := p.Key(t.Context(), ref)
		for _, err := range []error{byName, byRef, p.Erase(t.Context(), ref), p.Check(t.Context())} {
			if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), says) {
				t.Errorf("%v", err)
			}
		}
	}
	elsewhere := t.TempDir()
	refused(elsewhere, "is missing")
	if err := os.WriteFile(filepath.Join(elsewhere, PersonKeyFile), []byte(strings.Repeat("A", 43)+"=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(elsewhere, "is not the key")
	if err := os.WriteFile(filepath.Join(elsewhere, PersonKeyFile), right, 0o600); err != nil {
		t.Fatal(err)
	}
	if same, _ := named(t, newPersons(l, elsewhere, nil), "张三"); same != ref {
		t.Error("with the right key another number is found")
	}
}

func TestEraseTwiceKeepsRenamed(t *testing.T) {
	l := open(t, t.TempDir())
	p := l.Persons()
	first, _ := named(t, p, "张三")
	w, err := p.open(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	_, seq, err := p.numbered(t.Context(), w.idSubject("张三"))
	if err == nil {
		err = p.destroy(t.Context(), seq) // and there the erasure was cut short
	}
	if err != nil {
		t.Fatal(err)
	}
	second, _ := named(t, p, "张三")
	if err := p.Erase(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if ref, found, err := p.Find(t.Context(), "张三"); ref != second || !found || err != nil {
		t.Errorf("who was named meanwhile is not found by the id: %v %v", found, err)
	}
	if _, found, err := p.Key(t.Context(), first); found || err != nil {
		t.Errorf("the key is still there: %v", err)
	}
}

// personsOnCluster stops a server at its end, to name a person meanwhile.
func personsOnCluster(t *testing.T, servers [3]*server.Server, ledgers [3]*Ledger) {
	dir := t.TempDir()
	for _, l := range ledgers {
		l.persons = newPersons(l, dir, nil)
	}
	for i, l := range ledgers {
		ref, key := named(t, l.Persons(), "张三")
		next := ledgers[(i+1)%len(ledgers)]
		if same, k := named(t, next.Persons(), "张三"); same != ref || k != key {
			t.Fatal("another server gives the person another number")
		}
		if err := next.Persons().Erase(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		third := newPersons(ledgers[(i+2)%len(ledgers)], dir, nil)
		if _, found, err := third.Key(t.Context(), ref); found || err != nil {
			t.Fatal("a third server still has the key", err)
		}
		l.persons = newPersons(l, dir, nil) // as after keyKept
	}
	named(t, ledgers[0].Persons(), "李四")
	leads := slices.IndexFunc(servers[:], func(s *server.Server) bool { return s.JetStreamIsStreamLeader("$G", personStream) })
	servers[leads].Shutdown() // naming awaits the next leader
	named(t, ledgers[(leads+1)%len(ledgers)].Persons(), "张三")
}
