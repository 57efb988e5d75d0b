package eventstore

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
)

// attributeName is how CloudEvents 1.0 writes the name of an attribute: lower-case
// ASCII letters and digits, at most 20 of them as the specification advises.
var attributeName = regexp.MustCompile(`^[a-z0-9]{1,20}$`)

func TestBodiesAreCloudEvents(t *testing.T) {
	for name, body := range bodies(t) {
		var e map[string]any
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := func(attr string) string {
			s, ok := e[attr].(string)
			if !ok || s == "" {
				t.Errorf("%s: %s is %v, want a string that is not empty", name, attr, e[attr])
			}
			return s
		}
		for _, required := range []string{"id", "source", "type"} {
			text(required)
		}
		if text("specversion") != "1.0" || text("type") != name || text("datacontenttype") != "application/json" {
			t.Errorf("%s: specversion %v, type %v, datacontenttype %v", name, e["specversion"], e["type"], e["datacontenttype"])
		}
		if u, err := url.Parse(text("source")); err != nil || u.String() != e["source"] {
			t.Errorf("%s: source is no URI reference: %v", name, err)
		}
		if _, err := time.Parse(time.RFC3339, text("time")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := e["data"].(map[string]any); !ok {
			t.Errorf("%s: data is %T, want an object", name, e["data"])
		}
		if _, ok := e["data_base64"]; ok {
			t.Errorf("%s has data_base64 beside data", name)
		}
		for attr, value := range e {
			if attr == "data" {
				continue
			}
			if !attributeName.MatchString(attr) {
				t.Errorf("%s: %q is no name for an attribute", name, attr)
			}
			switch v := value.(type) {
			case string, bool:
			case float64: // the only number CloudEvents knows is a 32-bit integer
				if v != float64(int32(v)) {
					t.Errorf("%s: %s is %v, which is no CloudEvents integer", name, attr, v)
				}
			default:
				t.Errorf("%s: %s is a %T; attributes are plain values", name, attr, value)
			}
		}
	}
}

func TestSource(t *testing.T) {
	for kind, want := range map[string]string{"lab": "/labs/", "entity": "/entities/", "programme": "/programmes/", "webhook": "/webhooks/", "key": "/keys/"} {
		if got := (Stream{kind, sampleID(1)}).Source(); got != want+sampleID(1).String() {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestRecordedTimesSort(t *testing.T) {
	at := time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.FixedZone("CST", 8*3600))
	previous := ""
	for i := range 3 {
		m := sampleMeta("x")
		m.Time = at.Add(time.Duration(i) * time.Microsecond)
		p, err := Encode(Stream{"lab", sampleID(1)}, m, sample("lab.record.discipline-set.v1"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Decode(p.Body)
		if err != nil || !d.Meta.Time.Equal(m.Time) || d.Meta.Time.Location() != time.UTC {
			t.Errorf("%s is read back as %s, %v", m.Time, d.Meta.Time, err)
		}
		var e struct{ Time string }
		if err := json.Unmarshal(p.Body, &e); err != nil || e.Time <= previous {
			t.Errorf("%s does not sort after %s (%v)", e.Time, previous, err)
		}
		previous = e.Time
	}
}

func TestAbsentGroundsAreOmitted(t *testing.T) {
	p, err := Encode(Stream{"lab", sampleID(1)}, domain.Meta{ID: sampleID(2), Actor: domain.Actor{Subject: "a", Role: domain.Host}}, sample("lab.record.discipline-set.v1"))
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(p.Body, &e); err != nil {
		t.Fatal(err)
	}
	for _, attr := range []string{"reason", "basis", "basisdigest", "basissource", "policy", "onbehalfof", "correlationid", "causationid", "traceparent", "commanddigest"} {
		if v, ok := e[attr]; ok {
			t.Errorf("%s is there: %v", attr, v)
		}
	}
}
