package audit_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// benchEvents returns how many events the ledger of a benchmark holds: 100,000, or
// a million with JOINTLAB_TEST_LONG=1.
func benchEvents() int { return domaintest.Runs(100_000, 1_000_000) }

// lives returns a ledger of n events, twenty a lab, each of about 600 bytes.
func lives(b *testing.B, n int) *ledger {
	b.Helper()
	l := newLedger(0)
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for len(l.events) < n {
		stream := eventstore.Stream{Kind: "lab", ID: uuid.New()}
		for revision, e := range life(len(l.events)) {
			at = at.Add(time.Second)
			p, err := eventstore.Encode(stream, domain.Meta{
				ID: uuid.New(), Revision: uint64(revision), Time: at, Command: uuid.New(), Policy: lab.Policy,
				Actor: domain.Actor{Subject: "officer", Role: domain.Officer, OnBehalfOf: host.ID},
			}, e)
			if err != nil {
				b.Fatal(err)
			}
			l.append(stream, p.Body)
		}
	}
	return l
}

func life(i int) []domain.Event {
	day := domain.MustDate
	party := func(e domain.EntityRef, role lab.PartyRole) lab.Party { return lab.Party{Entity: e, Role: role} }
	events := []domain.Event{
		lab.Proposed{
			Programme: lab.DefaultProgramme, Level: lab.MinistryLevel, Host: host,
			Names: []domain.Name{{Text: fmt.Sprintf("环境污染控制国际合作联合实验室%d", i), Lang: "zh", Kind: domain.Official}, {Text: fmt.Sprintf("Joint Laboratory %d for Pollution Control", i), Lang: "en", Kind: domain.Official}},
		},
		lab.AgreementDrafted{
			Agreement: "A1", Title: domain.T("共建协议", "Agreement on a joint laboratory"), Class: lab.Substantive, Term: domain.Period{From: day("2020-01-01"), To: day("2029-12-31")},
			Parties: []lab.Party{party(host, lab.HostParty), party(partner, lab.PartnerParty)}, Documents: []lab.Document{{Lang: "zh", Digest: paper}},
		},
		lab.AgreementSigned{Agreement: "A1", Signature: lab.Signature{Party: host.ID, Representative: domain.Person{Name: "王校长"}, On: day("2020-01-02"), Document: paper}},
		lab.AgreementSigned{Agreement: "A1", Signature: lab.Signature{Party: partner.ID, Representative: domain.Person{Name: "The President"}, On: day("2020-02-03"), Document: paper}},
		lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed, To: lab.StatusIncubating, On: day("2020-03-01")}},
	}
	for n := range 6 {
		events = append(events, lab.RightAdded{
			Item: fmt.Sprintf("R%d", n+1), Kind: lab.ItemKinds[n%3], Agreement: "A1", Clause: "第5条", Party: []domain.EntityRef{host, partner}[n%2],
			Text: domain.T("提供实验室用房并承担日常运行", "provides the premises and bears the cost of running them"), Due: day("2024-06-30"),
		})
	}
	cash := func(amount string) lab.Quantity {
		return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: "CNY"}}
	}
	for n := range 3 {
		id := fmt.Sprintf("F%d", n+1)
		events = append(events,
			lab.CommitmentPledged{Commitment: id, Party: host, Source: lab.OwnFunds, Agreement: "A1", Purpose: domain.T("运行", "running costs"), Quantity: cash("1200000.00")},
			lab.ContributionReceived{Commitment: id, Party: host, Contribution: lab.Contribution{No: 1, On: day("2021-05-06"), Quantity: cash("300000.00"), Evidence: paper}},
			lab.RightDischarged{Settlement: lab.Settlement{Item: fmt.Sprintf("R%d", n+1), Party: host, On: day("2022-03-04"), Evidence: paper}},
		)
	}
	return events
}

// BenchmarkVerifyPack verifies a pack of a whole registry, beside hashing and
// decoding the same bytes on one core and doing nothing else with them. Its
// "ratio" is the shortest time of the one over that of the other.
func BenchmarkVerifyPack(b *testing.B) {
	l := lives(b, benchEvents())
	dir := b.TempDir()
	log, err := audit.Open(config(dir, l))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	if err := log.Advance(b.Context()); err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "pack.zip"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := log.Export(b.Context(), file, audit.Export{Store: l, Now: time.Now()}); err != nil {
		b.Fatal(err)
	}
	size, err := file.Seek(0, 1)
	if err != nil {
		b.Fatal(err)
	}
	var bodies bytes.Buffer
	for _, e := range l.events {
		bodies.Write(append(e.Body, '\n'))
	}
	events := len(l.events)
	l.events = nil
	runtime.GC()
	bare, verified := time.Hour, time.Hour
	for b.Loop() {
		start := time.Now()
		lines := bufio.NewReader(bytes.NewReader(bodies.Bytes()))
		for range events {
			line, err := lines.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			sum := sha256.Sum256(line[:len(line)-1])
			if _, err := eventstore.Decode(line[:len(line)-1]); err != nil || sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 0 && sum[4] == 0 {
				b.Fatal(err)
			}
		}
		bare = min(bare, time.Since(start))
		start = time.Now()
		v, err := audit.Verify(file, size, audit.Trust{Key: log.Key()})
		if err != nil || v.Manifest.Events != events || v.Decisions != events/20 {
			b.Fatal(v.Manifest.Events, v.Decisions, err)
		}
		verified = min(verified, time.Since(start))
	}
	b.ReportMetric(float64(verified)/float64(bare), "ratio")
	b.ReportMetric(float64(events)/verified.Seconds(), "events/s")
	b.ReportMetric(float64(size)/float64(events), "packed-B/event")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkProof proves one event among many.
func BenchmarkProof(b *testing.B) {
	l := newLedger(benchEvents())
	log, err := audit.Open(config(b.TempDir(), l))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	if err := log.Advance(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		at = (at + 7919) % len(l.events)
		if _, err := log.Inclusion(eventstore.Position(at+1), int64(len(l.events))); err != nil {
			b.Fatal(err)
		}
	}
}

func TestProofMemory(t *testing.T) {
	for _, size := range []int{100, 50_000} {
		log, err := audit.Open(config(t.TempDir(), newLedger(size)))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if err := log.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for at := range eventstore.Position(100) {
			if _, err := log.Inclusion(at+1, int64(size)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 16<<10 {
			t.Errorf("a proof in %d events takes %d bytes", size, each)
		}
	}
}
