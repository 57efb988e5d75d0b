package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
)

// newCorrectedLab returns a lab whose incubation was recorded on 3 June 2024 as begun
// in 2021, and corrected to 2023 a month later. It returns the positions of both.
func newCorrectedLab(t *testing.T) (w *world, lab, host, partner string, wrong, right uint64) {
	w = newWorld(t)
	host, partner = w.parties()
	lab = w.incubating(host, partner, "2021-05-01")
	wrong = uint64(w.head())
	history := w.get("/v1/labs/"+lab+"/history", w.as(domain.Auditor))
	w.ahead.Store(int64(30 * 24 * time.Hour))
	w.done("/v1/labs/"+lab+"/correct", w.as(domain.Officer), fmt.Sprintf(
		`{"event":%q,"reason":"the year was mistyped","command":"start-incubation","input":{"on":"2023-05-01"}}`,
		history.str("items.0.id")))
	return w, lab, host, partner, wrong, uint64(w.head())
}

func TestAsOfBelief(t *testing.T) {
	w, lab, _, _, wrong, right := newCorrectedLab(t)
	auditor := w.as(domain.Auditor)
	for _, c := range []struct{ query, status, since, on string }{
		{"", "INCUBATING", "2023-05-01", "2024-07-03"},
		{fmt.Sprintf("?as_of=%d", wrong), "INCUBATING", "2021-05-01", "2024-06-03"},
		{"?as_of=2024-06-20T00:00:00Z", "INCUBATING", "2021-05-01", "2024-06-20"},
		{"?as_of=2024-06-20T23:00:00%2B08:00", "INCUBATING", "2021-05-01", "2024-06-20"},
		{fmt.Sprintf("?as_of=%d&effective_on=2022-01-01", wrong), "INCUBATING", "2021-05-01", "2022-01-01"},
		{fmt.Sprintf("?as_of=%d&effective_on=2022-01-01", right), "PROPOSED", "2024-06-03", "2022-01-01"},
		{"?effective_on=2022-01-01", "PROPOSED", "2024-06-03", "2022-01-01"},
		{"?effective_on=2023-05-01&on=2040-01-01", "INCUBATING", "2023-05-01", "2040-01-01"},
	} {
		r := w.get("/v1/labs/"+lab+c.query, auditor)
		if r.str("status") != c.status || r.str("document.status_since") != c.since || r.str("on") != c.on {
			t.Errorf("%s: %s %s since %s on %s: %s", c.query, r.Status, r.str("status"), r.str("document.status_since"),
				r.str("on"), r.str("detail"))
		}
		if asked := r.at("as_of"); (asked == nil) != (c.query == "") {
			t.Errorf("%s: it says that it is about position %v", c.query, asked)
		}
	}
	r := w.get(fmt.Sprintf("/v1/labs/%s?as_of=%d&effective_on=2020-01-11", lab, wrong), auditor)
	if r.at("as_of") != float64(wrong) || r.str("effective_on") != "2020-01-11" || r.str("status") != "PROPOSED" {
		t.Errorf("%s", r.text)
	}
	if n := len(r.at("document.agreements.0.signatures").([]any)); n != 1 {
		t.Errorf("on 2020-01-11 the agreement has %d signatures, want the first only", n)
	}
}

func TestAsOfListsAndReports(t *testing.T) {
	w, lab, host, partner, wrong, _ := newCorrectedLab(t)
	officer := w.as(domain.Officer)
	then := w.head()
	w.done("/v1/labs/"+lab+"/add-right", officer, fmt.Sprintf(`{"agreement":"A1","kind":"right","party":%q,"clause":"§5","text":{"zh":"提供经费","en":"provides funds"}}`, partner))
	w.done("/v1/labs/"+lab+"/pledge-commitment", w.as(domain.Host, host),
		fmt.Sprintf(`{"party":%q,"source":"own","agreement":"A1","quantity":{"cash":{"amount":"10","currency":"CNY"}}}`,
			host))
	w.done("/v1/entities/"+partner+"/rename", officer, `{"lang":"de","name":"Jülich neu","on":"2022-01-01"}`)
	before := fmt.Sprintf("as_of=%d", then)
	for _, c := range []struct {
		path      string
		then, now any
		at        string
	}{
		{"/v1/labs/" + lab + "/rights?", 0.0, 1.0, "total"},
		{"/v1/rights?", 0.0, 1.0, "total"},
		{"/v1/labs/" + lab + "/commitments?", 0.0, 1.0, "total"},
		{"/v1/commitments?", 0.0, 1.0, "total"},
		{"/v1/labs/" + lab + "/matrix?", 6.0, 6.0, "total"},
		{"/v1/reports/funding?", 0.0, 1.0, "total"},
		{"/v1/reports/funding-shares?lab=" + lab + "&", 0.0, 1.0, "total"},
		{"/v1/entities?q=neu&", 0.0, 1.0, "total"},
		{"/v1/labs?q=neu&", 0.0, 0.0, "total"},
	} {
		if r := w.get(c.path+before, officer); r.at(c.at) != c.then {
			t.Errorf("%s%s: %v, want %v: %s", c.path, before, r.at(c.at), c.then, r.text)
		}
		if r := w.get(strings.TrimRight(c.path, "?&"), officer); r.at(c.at) != c.now {
			t.Errorf("%s: %v, want %v: %s", c.path, r.at(c.at), c.now, r.text)
		}
	}
	for _, c := range []struct {
		path, at string
		want     any
	}{
		{"/v1/agreements?effective_on=2020-01-11", "items.0.status", "PARTIALLY_SIGNED"},
		{"/v1/agreements?effective_on=2020-01-12", "items.0.status", "IN_FORCE"},
		{"/v1/labs/" + lab + "/agreements?effective_on=2020-01-11", "items.0.status", "PARTIALLY_SIGNED"},
		{"/v1/labs/" + lab + "/agreements/A1?effective_on=2020-01-11", "status", "PARTIALLY_SIGNED"},
		{"/v1/labs/" + lab + "/agreements/A1?effective_on=2020-01-11", "effective_on", "2020-01-11"},
		{"/v1/labs?status=INCUBATING&effective_on=2022-01-01", "total", 0.0},
		{fmt.Sprintf("/v1/labs?status=INCUBATING&effective_on=2022-01-01&as_of=%d", wrong), "total", 1.0},
		{"/v1/labs/" + lab + "/readiness?effective_on=2022-01-01", "status", "PROPOSED"},
		{fmt.Sprintf("/v1/labs/%s/readiness?as_of=%d", lab, wrong), "as_of", float64(wrong)},
		{fmt.Sprintf("/v1/reports/labs-by-status?to=2022-01-01&as_of=%d", wrong), "items.0.status", "INCUBATING"},
		{"/v1/reports/labs-by-status?effective_on=2022-01-01", "total", 0.0}, // proposed in 2024, as now known
		{fmt.Sprintf("/v1/reports/decisions?as_of=%d", wrong), "total", 0.0},
		{"/v1/watches?ahead=3660&effective_on=2020-01-11", "total", 0.0},
	} {
		if r := w.get(c.path, officer); r.at(c.at) != c.want {
			t.Errorf("%s: %v, want %v: %s", c.path, r.at(c.at), c.want, r.text)
		}
	}
}

func TestAsOfIsStable(t *testing.T) {
	w, lab, _, _, wrong, right := newCorrectedLab(t)
	auditor := w.as(domain.Auditor)
	path := fmt.Sprintf("/v1/labs/%s?as_of=%d", lab, wrong)
	first := w.get(path, auditor)
	tag := first.Header.Get("ETag")
	w.ahead.Store(int64(400 * 24 * time.Hour))
	auditor = w.as(domain.Auditor)
	if again := w.get(path, auditor); again.text != first.text || again.Header.Get("ETag") != tag {
		t.Errorf("%s\nthen\n%s", first.text, again.text)
	}
	if r := w.get(path, auditor, "If-None-Match: "+tag); r.StatusCode != http.StatusNotModified {
		t.Errorf("it is given again: %s", r.Status)
	}
	for _, other := range []string{fmt.Sprintf("?as_of=%d", right), "", fmt.Sprintf("?as_of=%d&on=2030-01-01", wrong)} {
		if r := w.get("/v1/labs/"+lab+other, auditor, "If-None-Match: "+tag); r.StatusCode != http.StatusOK {
			t.Errorf("%s: taken for the answer about %d: %s", other, wrong, r.Status)
		}
	}
	// The ETag of a past state is no If-Match.
	if r := w.post("/v1/labs/"+lab+"/set-discipline", w.as(domain.Officer), `{"discipline":{"zh":"光学"}}`, "If-Match: "+tag); r.StatusCode != http.StatusBadRequest {
		t.Errorf("If-Match of the past: %s %s", r.Status, r.text)
	}
}

func TestBadMomentIsRefused(t *testing.T) {
	w, lab, _, _, _, right := newCorrectedLab(t)
	auditor := w.as(domain.Auditor)
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/v1/labs/" + lab + "?as_of=yesterday", 400, "RFC 3339"},
		{"/v1/labs/" + lab + "?as_of=0", 400, "from 1"},
		{"/v1/labs/" + lab + "?as_of=-1", 400, "from 1"},
		{"/v1/labs/" + lab + "?as_of=2024-06-20T23:00:00+08:00", 400, "%2B"}, // the + is a space
		{"/v1/labs/" + lab + "?as_of=2030-01-01T00:00:00Z", 400, "has not come yet"},
		{fmt.Sprintf("/v1/labs/%s?as_of=%d", lab, right+1), 400, fmt.Sprintf("up to position %d as yet", right)},
		{fmt.Sprintf("/v1/labs?as_of=%d", right+1), 400, "as yet"},
		{fmt.Sprintf("/v1/reports/funding?as_of=%d", right+1), 400, "as yet"},
		{fmt.Sprintf("/v1/labs/%s/diff?from=%d", lab, right+1), 400, "query.from"},
		{"/v1/labs/" + lab + "?effective_on=2020", 400, "effective_on"},
		{"/v1/labs/" + lab + "?as_of=1", 404, "position 3"},
		{"/v1/labs/" + lab + "?as_of=2000-01-01T00:00:00Z", 404, "nothing was on record"},
		{"/v1/labs?as_of=2000-01-01T00:00:00Z", 404, "nothing was on record"},
		{"/v1/labs/" + lab + "?effective_on=2020-01-09", 404, "before 2020-01-10"},
		{"/v1/labs/" + lab + "/agreements?effective_on=2020-01-09", 404, "before 2020-01-10"},
		{fmt.Sprintf("/v1/labs/%s/diff?from=%d&to=3", lab, right), 400, "exchange"},
		{"/v1/labs/" + lab + "/diff", 400, "from"},
	} {
		r := w.get(c.path, auditor)
		if r.StatusCode != c.status || !strings.Contains(r.text, c.says) {
			t.Errorf("%s: %s, want %d and %q: %s", c.path, r.Status, c.status, c.says, r.text)
		}
	}
}

func TestDiff(t *testing.T) {
	w, lab, _, _, wrong, right := newCorrectedLab(t)
	auditor := w.as(domain.Auditor)
	changes := func(query string) map[string]string {
		r := w.get("/v1/labs/"+lab+"/diff?"+query, auditor)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", query, r.text)
		}
		found := map[string]string{}
		for _, c := range r.at("changes").([]any) {
			m := c.(map[string]any)
			found[m["path"].(string)] = fmt.Sprint(m["before"], " ", m["after"])
		}
		found["events"] = fmt.Sprint(len(r.at("events").([]any)))
		return found
	}
	is := func(got map[string]string, want map[string]string) {
		t.Helper()
		for path, v := range want {
			if got[path] != v {
				t.Errorf("%s: %q, want %q; all: %v", path, got[path], v, got)
			}
		}
	}
	corrected := changes(fmt.Sprintf("from=%d&to=%d", wrong, right))
	is(corrected, map[string]string{"status_since": "2021-05-01 2023-05-01",
		"incubation_start": "2021-05-01 2023-05-01", "events": "1"})
	is(changes(fmt.Sprintf("from=%d", wrong)), corrected)
	is(changes(fmt.Sprintf("from=%d&effective_on_from=2020-01-11&effective_on_to=2020-01-12", right)),
		map[string]string{"agreements/A1/in_force_from": "<nil> 2020-01-12", "events": "0"})
	begun := changes(fmt.Sprintf("from=1&to=%d", wrong))
	is(begun, map[string]string{"status": "<nil> INCUBATING", "events": "5"})
	if _, ok := begun["agreements/A1"]; !ok {
		t.Errorf("a new agreement is one change: %v", begun)
	}
	if none := changes(fmt.Sprintf("from=%d&to=%d", right, right)); len(none) != 1 {
		t.Errorf("between a moment and itself: %v", none)
	}
	r := w.get(fmt.Sprintf("/v1/labs/%s/diff?from=%d&to=%d", lab, wrong, right), auditor)
	if r.at("from.as_of") != float64(wrong) || r.at("to.as_of") != float64(right) || !strings.HasPrefix(r.str("events.0.sentence.zh"), "更正") {
		t.Errorf("%s", r.text)
	}
}
