package audit_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// registry is a small register, written by commands.
type registry struct {
	*ledger
	t          testing.TB
	now        time.Time
	programme  domain.Programme
	labs       *eventstore.Aggregates[*lab.Lab, lab.Event]
	programmes *eventstore.Aggregates[*programme.Programme, programme.Event]
	first      uuid.UUID // a lab with an agreement, a step and its correction
	second     uuid.UUID // a lab with many facts
	incubation eventstore.Position
	correction eventstore.Position
}

var (
	host    = domain.EntityRef{ID: uuid.MustParse("00000000-0000-4000-8000-000000000001"), Name: domain.T("示例大学", "Example University"), Kind: "university", Country: "CN", Side: domain.Chinese}
	partner = domain.EntityRef{ID: uuid.MustParse("00000000-0000-4000-8000-000000000002"), Name: domain.T("", "Musterstadt University"), Kind: "university", Country: "DE", Side: domain.Foreign}
	paper   = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("the agreement")))
)

func (r *registry) request() eventstore.Request {
	r.now = r.now.Add(time.Hour)
	return eventstore.Request{
		Actor: domain.Actor{Subject: "officer", Role: domain.Officer}, Now: r.now, Command: uuid.New(), Digest: paper, Programme: &r.programme,
		Entities: map[uuid.UUID]domain.EntityRef{host.ID: host, partner.ID: partner},
	}
}

func (r *registry) do(id uuid.UUID, cmd lab.Command) eventstore.Outcome {
	r.t.Helper()
	o, err := r.labs.Do(r.t.Context(), id, cmd, r.request())
	if err != nil {
		r.t.Fatalf("%T: %v", cmd, err)
	}
	return o
}

func (r *registry) propose(id uuid.UUID) {
	r.t.Helper()
	r.do(id, lab.Propose{Host: host.ID, Names: []domain.Name{{Text: "示例国际合作联合实验室", Lang: "zh", Kind: domain.Official}}})
}

func newRegistry(t testing.TB, facts int) *registry {
	t.Helper()
	r := &registry{ledger: newLedger(0), t: t, now: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), first: uuid.New(), second: uuid.New()}
	r.labs = eventstore.NewAggregates[*lab.Lab, lab.Event](r.ledger, "lab", lab.New)
	r.programmes = eventstore.NewAggregates[*programme.Programme, programme.Event](r.ledger, "programme", programme.New)
	of := domain.ProgrammeID(lab.DefaultProgramme)
	for _, cmd := range []programme.Command{
		programme.RegisterProgramme{Name: domain.T(lab.DefaultProgramme, ""), Level: "ministry"},
		programme.AdoptPolicy{Terms: domain.BuiltIn.Terms},
	} {
		if p, ok := cmd.(programme.AdoptPolicy); ok {
			p.Effective.From = domain.MustDate("2014-01-01")
			cmd = p
		}
		if _, err := r.programmes.Do(t.Context(), of, cmd, r.request()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.programmes.State(t.Context(), of, func(p *programme.Programme, _ eventstore.Version) { r.programme = p.Facts() }); err != nil {
		t.Fatal(err)
	}
	r.propose(r.second)
	r.propose(r.first)
	r.fact(facts / 2)
	r.do(r.first, lab.DraftAgreement{
		Title: domain.T("共建协议", ""), Class: lab.Substantive, Term: domain.Period{From: domain.MustDate("2020-01-01"), To: domain.MustDate("2029-12-31")},
		Parties:   []lab.NewParty{{Entity: host.ID, Role: lab.HostParty}, {Entity: partner.ID, Role: lab.PartnerParty}},
		Documents: []lab.Document{{Lang: "zh", Digest: paper}},
	})
	for _, party := range []domain.EntityRef{host, partner} {
		r.do(r.first, lab.SignAgreement{Agreement: "A1", Party: party.ID, Representative: domain.Person{Name: "某人"}, On: domain.MustDate("2020-01-10"), Document: paper})
	}
	r.fact(facts - facts/2)
	o := r.do(r.first, lab.StartIncubation{On: domain.MustDate("2020-03-01")})
	r.incubation = eventstore.Position(o.Version.Token)
	r.fact(1)
	o, err := r.labs.Correct(t.Context(), r.first, o.Events[0].Meta.ID, lab.StartIncubation{On: domain.MustDate("2020-03-02")}, domain.Grounds{Reason: "录入有误"},
		func(c domain.Correction) lab.Event { return lab.Corrected{Correction: c} }, r.request())
	if err != nil {
		t.Fatal(err)
	}
	r.correction = eventstore.Position(o.Version.Token)
	r.fact(2)
	return r
}

// fact adds facts to the second lab.
func (r *registry) fact(n int) {
	for i := range n {
		r.do(r.second, lab.AssertFact{Grounds: domain.Grounds{Basis: domain.Basis{Source: "somewhere"}}, Kind: "note", Text: domain.Textf("事实 %d", "", i)})
	}
}

// export makes a pack of what the ledger holds, under a checkpoint of it.
func export(t testing.TB, dir string, l *ledger, e audit.Export) (pack []byte, log *audit.Log) {
	t.Helper()
	log, err := audit.Open(config(dir, l))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	if err := log.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Store, e.Now = l, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	if _, err := log.Export(t.Context(), &b, e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), log
}

func verifyPack(pack []byte, key string) (audit.Verified, error) {
	return audit.Verify(bytes.NewReader(pack), int64(len(pack)), audit.Trust{Key: key})
}

func TestVerifyEachScope(t *testing.T) {
	r := newRegistry(t, 600)
	for name, c := range map[string]struct {
		scope     audit.Scope
		events    int
		streams   int
		decisions int
	}{
		"a lab":          {audit.Scope{Lab: r.first}, 8, 2, 2},
		"another lab":    {audit.Scope{Lab: r.second}, 606, 2, 0},
		"the registry":   {audit.Scope{}, len(r.events), 3, 2},
		"all days":       {audit.Scope{From: domain.MustDate("2024-01-01"), To: domain.MustDate("2030-01-01")}, len(r.events), 3, 2},
		"the first days": {audit.Scope{From: domain.MustDate("2024-03-01"), To: domain.MustDate("2024-03-02")}, 39, 3, 0},
		"the last days":  {audit.Scope{From: domain.DateOf(r.now), To: domain.DateOf(r.now)}, len(r.events), 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			pack, log := export(t, t.TempDir(), r.ledger, audit.Export{Scope: c.scope})
			v, err := verifyPack(pack, log.Key())
			if err != nil {
				t.Fatal(err)
			}
			if v.Manifest.Events != c.events || v.Manifest.Streams != c.streams || v.Decisions != c.decisions || v.OtherRules || v.Contents != 0 {
				t.Errorf("%d events of %d streams, %d decisions: %+v", v.Manifest.Events, v.Manifest.Streams, v.Decisions, v.Manifest.Scope)
			}
			if again, _ := export(t, t.TempDir(), r.ledger, audit.Export{Scope: c.scope}); bytes.Equal(again, pack) {
				t.Error("two logs with keys of their own made one pack")
			}
		})
	}
}

func TestPackHoldsEveryKind(t *testing.T) {
	r := newRegistry(t, 1)
	hooks := eventstore.NewAggregates[*webhook.Webhook, webhook.Event](r.ledger, "webhook", webhook.New)
	if _, err := hooks.Do(t.Context(), uuid.New(), webhook.Register{URL: "https://example.org/jointlab"}, r.request()); err != nil {
		t.Fatal(err)
	}
	pack, log := export(t, t.TempDir(), r.ledger, audit.Export{})
	if v, err := verifyPack(pack, log.Key()); err != nil || v.Manifest.Events != len(r.events) || v.Manifest.Streams != 4 {
		t.Errorf("%+v, %v", v.Manifest, err)
	}
}

func TestPackListsDocuments(t *testing.T) {
	r := newRegistry(t, 1)
	document := func(digest string) (io.ReadCloser, error) {
		if digest != paper {
			return nil, errors.New("no such document")
		}
		return io.NopCloser(strings.NewReader("the agreement")), nil
	}
	pack, log := export(t, t.TempDir(), r.ledger, audit.Export{Scope: audit.Scope{Lab: r.first}, Document: document})
	v, err := verifyPack(pack, log.Key())
	if err != nil || v.Manifest.Documents != 1 || v.Contents != 1 {
		t.Fatal(v.Manifest.Documents, v.Contents, err)
	}
	files := unpack(t, pack)
	if want := fmt.Sprintf(`{"digest":"%s","positions":[5,6,7]}`+"\n", paper); string(files["documents.ndjson"]) != want {
		t.Errorf("%s, want %s", files["documents.ndjson"], want)
	}
	files["documents/"+strings.TrimPrefix(paper, "sha256:")] = []byte("another agreement")
	caught(t, files, log.Key(), 5, "other contents")
	files["documents/"+strings.Repeat("0", 64)] = []byte("a stranger")
	delete(files, "documents/"+strings.TrimPrefix(paper, "sha256:"))
	caught(t, files, log.Key(), 0, "no event refers to")
}

// unpack reads a pack's files.
func unpack(t testing.TB, pack []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// repack makes a pack of files.
func repack(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func caught(t *testing.T, files map[string][]byte, key string, at eventstore.Position, what string) {
	t.Helper()
	_, err := verifyPack(repack(t, files), key)
	var c *audit.ContradictionError
	if !errors.As(err, &c) || c.Position != at || !strings.Contains(c.What, what) {
		t.Errorf("%v, want position %d: … %s …", err, at, what)
	}
}

// lines returns the events of a pack; events puts them back.
func lines(files map[string][]byte) []string {
	return strings.SplitAfter(strings.TrimSuffix(string(files["events.ndjson"]), "\n"), "\n")
}

func withLines(files map[string][]byte, lines []string) map[string][]byte {
	if n := len(lines); n > 0 {
		lines[n-1] = strings.TrimSuffix(lines[n-1], "\n") + "\n"
	}
	changed := maps.Clone(files)
	changed["events.ndjson"] = []byte(strings.Join(lines, ""))
	return changed
}

// edit changes a pack's manifest, as somebody does who has everything but the
// key.
func edit(t *testing.T, files map[string][]byte, change func(map[string]any)) map[string][]byte {
	t.Helper()
	changed := maps.Clone(files)
	var m map[string]any
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	changed["manifest.json"] = text
	return changed
}

func TestVerifyDetectsChanges(t *testing.T) {
	r := newRegistry(t, 6)
	dir := t.TempDir()
	pack, log := export(t, dir, r.ledger, audit.Export{Scope: audit.Scope{Lab: r.first}})
	key, files := log.Key(), unpack(t, pack)
	// programme, programme, lab, …, with events of the other lab between:
	// positions 1 2 4 8 9 10 14 16
	var at []eventstore.Position
	for p, e := range r.events {
		if e.Stream.ID != r.second {
			at = append(at, eventstore.Position(p+1))
		}
	}
	if _, err := verifyPack(repack(t, files), key); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	if _, err := verifyPack(repack(t, withLines(files, lines(files))), key); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	t.Run("change", func(t *testing.T) {
		for i := range at {
			l := lines(files)
			l[i] = strings.Replace(l[i], "officer", "0fficer", 1)
			caught(t, withLines(files, l), key, at[i], "not the one in the log")
		}
	})
	t.Run("drop", func(t *testing.T) {
		for i := range at {
			what := "not the one in the log"
			if i == len(at)-1 {
				what = "ends before it"
			}
			caught(t, withLines(files, slices.Delete(lines(files), i, i+1)), key, at[i], what)
		}
	})
	t.Run("drop, and its position too", func(t *testing.T) {
		without := func(i int) map[string][]byte {
			return edit(t, withLines(files, slices.Delete(lines(files), i, i+1)), func(m map[string]any) {
				var positions []string
				for j, p := range at {
					if j != i {
						positions = append(positions, fmt.Sprintf("%d-%d", p, p))
					}
				}
				m["positions"], m["events"] = positions, len(positions)
			})
		}
		caught(t, without(4), key, at[5], "it is revision 3")
		// With the end of a stream, all that is left to be wrong is what it folds to.
		caught(t, without(7), key, at[6], "does not give the state")
	})
	t.Run("drop the last event, and all that tells of it", func(t *testing.T) {
		shorter := &ledger{events: r.events[:r.correction-1], grew: make(chan struct{})}
		short, _ := export(t, t.TempDir(), shorter, audit.Export{Scope: audit.Scope{Lab: r.first}})
		cut := withLines(files, lines(files)[:7])
		cut["streams.ndjson"] = unpack(t, short)["streams.ndjson"]
		caught(t, edit(t, cut, func(m map[string]any) {
			var positions []string
			for _, p := range at[:7] {
				positions = append(positions, fmt.Sprintf("%d-%d", p, p))
			}
			m["positions"], m["events"] = positions, 7
		}), key, 0, "manifest.json is not what was signed")
	})
	t.Run("swap", func(t *testing.T) {
		l := lines(files)
		l[4], l[5] = l[5], l[4]
		caught(t, withLines(files, l), key, at[4], "not the one in the log")
	})
	t.Run("insert", func(t *testing.T) {
		forged := strings.Replace(lines(files)[5], `"revision":3`, `"revision":4`, 1)
		caught(t, withLines(files, slices.Insert(lines(files), 6, forged)), key, at[6], "not the one in the log")
		caught(t, withLines(files, append(lines(files), "\n", forged)), key, 0, "goes on after")
	})
	t.Run("truncate", func(t *testing.T) {
		caught(t, withLines(files, lines(files)[:5]), key, at[5], "ends before it")
		if _, err := verifyPack(pack[:len(pack)-100], key); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Error(err)
		}
	})
	t.Run("fork", func(t *testing.T) {
		other := newRegistry(t, 6) // the same story, told again by others
		l := append(lines(files)[:4:4], lines(unpack(t, first(export(t, t.TempDir(), other.ledger, audit.Export{Scope: audit.Scope{Lab: other.first}}))))[4:]...)
		caught(t, withLines(files, l), key, at[4], "not the one in the log")
	})
	t.Run("re-sign with another key", func(t *testing.T) {
		forger := newRegistry(t, 6)
		forged, _ := export(t, t.TempDir(), forger.ledger, audit.Export{Scope: audit.Scope{Lab: forger.first}})
		caught(t, unpack(t, forged), key, 0, "not with "+key)
		named := unpack(t, forged)
		named["key"] = files["key"] // and the right key's name
		caught(t, named, key, 0, "does not bear out the key")
		mixed := maps.Clone(files)
		mixed["manifest.note"] = unpack(t, forged)["manifest.note"]
		caught(t, mixed, key, 0, "manifest.note is not signed with the log's key")
	})
	t.Run("a tile", func(t *testing.T) {
		for name := range files {
			if strings.HasPrefix(name, "tile/") {
				changed := maps.Clone(files)
				changed[name] = bytes.Clone(files[name])
				changed[name][40] ^= 1
				caught(t, changed, key, at[0], "not of the checkpoint")
				delete(changed, name)
				caught(t, changed, key, at[0], "not in the pack")
			}
		}
	})
	t.Run("a state", func(t *testing.T) {
		changed := maps.Clone(files)
		changed["streams.ndjson"] = bytes.Replace(files["streams.ndjson"], []byte(`"2020-03-02"`), []byte(`"2019-03-02"`), 1)
		caught(t, changed, key, r.correction, "does not give the state")
	})
	t.Run("a file", func(t *testing.T) {
		for _, name := range []string{"rules.json", "manifest.json"} {
			changed := maps.Clone(files)
			changed[name] = append(bytes.Clone(files[name]), ' ')
			caught(t, changed, key, 0, name+" is not what was signed")
		}
		for name := range files {
			changed := maps.Clone(files)
			delete(changed, name)
			if _, err := verifyPack(repack(t, changed), key); err == nil {
				t.Errorf("without %s it passes", name)
			}
		}
	})
	t.Run("another checkpoint", func(t *testing.T) {
		r.fact(1)
		later, _ := export(t, dir, r.ledger, audit.Export{Scope: audit.Scope{Lab: r.first}})
		mixed := maps.Clone(files)
		mixed["checkpoint"] = unpack(t, later)["checkpoint"]
		caught(t, mixed, key, at[0], "the tiles that")
	})
}

func first[A, B any](a A, _ B) A { return a }

func TestVerifyNamesWrongDecision(t *testing.T) {
	for name, c := range map[string]struct {
		event lab.Event
		what  string
	}{
		"too early for its agreement": {lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed, To: lab.StatusIncubating, On: domain.MustDate("2019-12-31")}}, "C57"},
		"from where the lab is not":   {lab.Shortlisted{Transition: lab.Transition{From: lab.StatusInReview, To: lab.StatusSiteVisit, On: domain.MustDate("2021-01-01")}}, "cannot have gone"},
		"in the future":               {lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed, To: lab.StatusIncubating, On: domain.MustDate("2025-12-31")}}, "in the future"},
	} {
		for _, corrected := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, corrected %v", name, corrected), func(t *testing.T) {
				r := newRegistry(t, 1)
				r.change(func(e []eventstore.Recorded) []eventstore.Recorded { return e[:r.incubation-1] })
				stream := eventstore.Stream{Kind: "lab", ID: r.first}
				write := func(revision uint64, e lab.Event) uuid.UUID {
					id := uuid.New()
					p, err := eventstore.Encode(stream, domain.Meta{ID: id, Revision: revision, Time: r.now, Actor: domain.Actor{Subject: "officer", Role: domain.Officer}, Command: uuid.New()}, e)
					if err != nil {
						t.Fatal(err)
					}
					r.append(stream, p.Body)
					return id
				}
				if corrected { // the right step, then a correction that says the wrong one
					id := write(4, lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed, To: lab.StatusIncubating, On: domain.MustDate("2020-03-01")}})
					write(5, lab.Corrected{Correction: domain.Correction{Corrects: id, With: domain.Restated{Event: c.event}}})
				} else {
					write(4, c.event)
				}
				pack, log := export(t, t.TempDir(), r.ledger, audit.Export{Scope: audit.Scope{Lab: r.first}})
				_, err := verifyPack(pack, log.Key())
				var found *audit.ContradictionError
				if !errors.As(err, &found) || found.Position != eventstore.Position(len(r.events)) || !strings.Contains(found.What, c.what) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func TestExportRefusals(t *testing.T) {
	r := newRegistry(t, 1)
	dir := t.TempDir()
	log, err := audit.Open(config(dir, r.ledger))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ask := func(e audit.Export, what string) {
		t.Helper()
		e.Store = r.ledger
		if _, err := log.Export(t.Context(), io.Discard, e); err == nil || !strings.Contains(err.Error(), what) {
			t.Error(err)
		}
	}
	ask(audit.Export{}, "no checkpoint")
	if err := log.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(audit.Export{Scope: audit.Scope{Lab: uuid.New()}}, "no such record")
	ask(audit.Export{Scope: audit.Scope{Entity: r.first}}, "no such record")
	ask(audit.Export{Scope: audit.Scope{From: domain.MustDate("1999-01-01"), To: domain.MustDate("1999-12-31")}}, "no events in the period")
	log.Close()
	if err := os.Remove(filepath.Join(dir, audit.KeyFile)); err != nil {
		t.Fatal(err)
	}
	if log, err = audit.Open(config(dir, r.ledger)); err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ask(audit.Export{}, "not the key of this log")
}

// FuzzVerify feeds Verify packs that are damaged in one place.
func FuzzVerify(f *testing.F) {
	r := newRegistry(f, 1)
	pack, log := export(f, f.TempDir(), r.ledger, audit.Export{Scope: audit.Scope{Lab: r.first}})
	files := unpack(f, pack)
	names := slices.SortedFunc(maps.Keys(files), cmp.Compare)
	for i := range names {
		f.Add(uint8(i), uint16(7), byte(1))
	}
	key := log.Key()
	f.Fuzz(func(t *testing.T, file uint8, at uint16, flip byte) {
		name := names[int(file)%len(names)]
		if flip == 0 || len(files[name]) == 0 {
			return
		}
		changed := maps.Clone(files)
		changed[name] = bytes.Clone(files[name])
		changed[name][int(at)%len(files[name])] ^= flip
		if _, err := verifyPack(repack(t, changed), key); err == nil {
			// Base64 has bits that say nothing, and a key may stand in space.
			if name != "key" && name != "checkpoint" && name != "manifest.note" {
				t.Errorf("%s with byte %d changed passes", name, int(at)%len(files[name]))
			}
		}
	})
}
