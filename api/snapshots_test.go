package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jointlab/jointlab/domain"
)

// overlay returns a snapshot with a delta applied, as a subscriber does it.
func overlay(t *testing.T, snapshot, delta string) string {
	t.Helper()
	lines := map[string]string{}
	for _, text := range []string{snapshot, delta} {
		for line := range strings.Lines(text) {
			var of struct {
				Source   string         `json:"source"`
				Revision uint64         `json:"revision"`
				Document jsontext.Value `json:"document"`
			}
			if err := json.Unmarshal([]byte(line), &of, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			lines[of.Source] = line
		}
	}
	var sources []string
	for source := range lines {
		sources = append(sources, source)
	}
	slices.Sort(sources)
	var b strings.Builder
	for _, source := range sources {
		b.WriteString(lines[source])
	}
	return b.String()
}

func TestSnapshotPlusDelta(t *testing.T) {
	w := newWorld(t)
	auditor := w.as(domain.Auditor)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-06-01")
	// A correction has effect from its own position on.
	host := s.token(domain.Host)
	set := w.done(s.at+"/set-discipline", host, `{"discipline":{"zh":"海洋科学"}}`)
	w.done(s.at+"/set-discipline", host, `{"discipline":{"zh":"大气科学"}}`)
	w.done(s.at+"/correct", host, fmt.Sprintf(`{"event":%q,"command":"set-discipline","reason":"抄错","input":{"discipline":{"zh":"地球科学"}}}`, set.str("events.0.id")))
	head := w.head()
	readers := []string{auditor, host, s.token(domain.Partner), w.as(domain.Expert)} // each sees another part
	reader := auditor
	at := func(p uint64) string {
		r := w.get(fmt.Sprintf("/v1/snapshots?as_of=%d", p), reader)
		if r.StatusCode != http.StatusOK || r.Header.Get("Ledger-Position") != fmt.Sprint(p) {
			t.Fatalf("%s %v %s", r.Status, r.Header, r.text)
		}
		return r.text
	}
	if now := w.get("/v1/snapshots", auditor); now.text != at(uint64(head)) ||
		now.Header.Get("Ledger-Position") != fmt.Sprint(head) {
		t.Errorf("now and at position %d differ", head)
	}
	for range 60 {
		p := 1 + rand.Uint64N(uint64(head))
		q := p + rand.Uint64N(uint64(head)-p+1)
		reader = readers[rand.N(len(readers))]
		delta := w.get(fmt.Sprintf("/v1/snapshots/delta?from=%d&to=%d", p, q), reader)
		if got := overlay(t, at(p), delta.text); got != at(q) {
			t.Fatalf("the snapshot at %d and the delta to %d give\n%s\nwant\n%s", p, q, got, at(q))
		}
		if p == q && delta.text != "" {
			t.Errorf("nothing happened between %d and %d: %s", p, q, delta.text)
		}
	}
	for path, status := range map[string]int{
		"/v1/snapshots?as_of=99999": 400, "/v1/snapshots/delta?from=5&to=2": 400, "/v1/snapshots/delta": 400,
		"/v1/snapshots/delta?from=x": 400,
	} {
		if r := w.get(path, auditor); r.StatusCode != status || r.str("detail_zh") == "" {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
}
