package api_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// newReportedLab returns a lab with an agreement, commitments and a history.
func newReportedLab(t *testing.T) (w *world, lab, host, partner string) {
	w = newWorld(t)
	host, partner = w.parties()
	lab = w.incubating(host, partner, "2020-03-01")
	h := w.as(domain.Host, host)
	at := "/v1/labs/" + lab
	for _, q := range []string{`{"cash":{"amount":"300","currency":"CNY"}}`,
		`{"cash":{"amount":"0.10","currency":"EUR"}}`} {
		w.done(at+"/pledge-commitment", h, `{"party":"`+host+`","source":"own","agreement":"A1","quantity":`+q+`}`)
	}
	w.done(at+"/pledge-commitment", w.as(domain.Officer),
		`{"party":"`+partner+`","source":"foreign","agreement":"A1","quantity":{"cash":{"amount":"600","currency":"CNY"}}}`)
	w.done(at+"/receive-contribution", h,
		`{"commitment":"F1","on":"2021-03-01","quantity":{"cash":{"amount":"100.25","currency":"CNY"}},`+
			`"evidence":"`+digest+`"}`)
	w.done(at+"/return-contribution", h,
		`{"commitment":"F1","on":"2021-04-01","quantity":{"cash":{"amount":"0.25","currency":"CNY"}},`+
			`"evidence":"`+digest+`"}`)
	return w, lab, host, partner
}

func TestReadinessMatchesCommand(t *testing.T) {
	w, id, host, _ := newReportedLab(t)
	r := w.get("/v1/labs/"+id+"/readiness?on=2021-03-01", w.as(domain.Auditor))
	steps := r.at("steps").([]any)
	if r.StatusCode != http.StatusOK || len(steps) != 2 {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	var unmet, refused []string
	for _, f := range steps[0].(map[string]any)["findings"].([]any) {
		if f := f.(map[string]any); f["met"] == false {
			unmet = append(unmet, f["rule"].(string))
		}
	}
	no := w.post("/v1/labs/"+id+"/submit-application", w.as(domain.Host, host), `{"on":"2021-03-01","effect":{"zh":"成效"},"document":"`+digest+`"}`)
	for _, f := range no.at("findings").([]any) {
		refused = append(refused, f.(map[string]any)["rule"].(string))
	}
	if len(unmet) == 0 || strings.Join(unmet, " ") != strings.Join(refused, " ") {
		t.Errorf("readiness misses %v, the command is refused for %v", unmet, refused)
	}
	// Missing records are raised in the same answer, until they are recorded.
	raised := func() (rules, met []string) {
		for _, f := range w.get("/v1/labs/"+id+"/readiness?on=2021-03-01", w.as(domain.Auditor)).at("raised").([]any) {
			f := f.(map[string]any)
			rules = append(rules, f["rule"].(string))
			if f["met"] == true {
				met = append(met, f["rule"].(string))
			} else if missing, _ := f["missing"].([]any); len(missing) == 0 ||
				f["quote"] != lab.Rules[f["rule"].(string)].Quote {
				t.Errorf("raised without what is missing or the quote: %v", f)
			}
		}
		return rules, met
	}
	if rules, met := raised(); !slices.Equal(rules, lab.RecordRules) || slices.Contains(met, "C22") {
		t.Errorf("raised %v, met %v", rules, met)
	}
	w.done("/v1/labs/"+id+"/set-direction", w.as(domain.Host, host), `{"name":{"zh":"方向"},"tag":"frontier","valid":{"from":"2021-01-01"}}`)
	if _, met := raised(); !slices.Contains(met, "C22") {
		t.Errorf("a direction is on record, and met are %v", met)
	}
}

func TestReportsPerCurrency(t *testing.T) {
	w, lab, _, _ := newReportedLab(t)
	auditor := w.as(domain.Auditor)
	shares := w.get("/v1/reports/funding-shares?lab="+lab, auditor)
	for path, want := range map[string]string{
		"items.0.unit": "CNY", "items.0.source": "own", "items.0.committed": "300.00",
		"items.0.committed_share": "0.3333", "items.0.delivered": "100.00", "items.0.delivered_share": "1.0000",
		"items.1.unit": "CNY", "items.1.source": "foreign", "items.1.committed_share": "0.6667",
		"items.1.delivered_share": "0.0000",
		"items.2.unit":            "EUR", "items.2.committed": "0.10", "items.2.committed_share": "1.0000",
	} {
		if got := shares.str(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	file := w.get("/v1/reports/funding.csv", auditor)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.text, "\ufeff"))).ReadAll()
	if err != nil || !strings.HasPrefix(file.text,
		"\ufeffyear,party_zh,party_en,party_id,kind,source,unit,committed,delivered\n") ||
		file.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%v\n%s", err, file.text)
	}
	if len(rows) != 5 {
		t.Errorf("%d rows: %v", len(rows)-1, rows)
	}
}

func TestConversionNeedsRecordedRate(t *testing.T) {
	w, lab, host, _ := newReportedLab(t)
	h := w.as(domain.Host, host)
	for i := range 3 {
		w.done("/v1/labs/"+lab+"/firm-up-commitment", w.as(domain.Officer),
			fmt.Sprintf(`{"commitment":"F%d","on":"2021-01-01","evidence":%q}`, i+1, digest))
	}
	structure := "/v1/labs/" + lab + "/funding-structure?currency=CNY"
	if r := w.get(structure, h); r.at("total") != 2.0 {
		t.Errorf("without a rate: %s", r.text)
	}
	w.done("/v1/labs/"+lab+"/record-rate", h, `{"on":"2021-01-01","from":"EUR","to":"CNY","rate":"8","source":"中国人民银行公告"}`)
	if r := w.get(structure, h); r.at("total") != 1.0 || r.str("items.0.currency") != "CNY" {
		t.Errorf("with a rate: %s", r.text)
	}
}

func TestLabsByStatusPerDay(t *testing.T) {
	w, _, _, _ := newReportedLab(t)
	r := w.get("/v1/reports/labs-by-status?from=2019-06-01&to=2021-06-30&every=year", w.as(domain.Auditor))
	if r.str("items.0.on") != "2020-12-31" || r.str("items.0.status") != "INCUBATING" ||
		r.str("items.1.on") != "2021-06-30" {
		t.Error(r.text)
	}
}

func TestMatrixAndWatchesFormats(t *testing.T) {
	w, lab, _, _ := newReportedLab(t)
	auditor := w.as(domain.Auditor)
	for _, path := range []string{"/v1/labs/" + lab + "/matrix", "/v1/labs/" + lab + "/watches", "/v1/watches",
		"/v1/reports/decisions"} {
		if r := w.get(path, auditor); r.StatusCode != http.StatusOK || r.at("items") == nil {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
		if r := w.get(path+".csv", auditor); r.StatusCode != http.StatusOK || !strings.HasPrefix(r.text, "\ufeff") {
			t.Errorf("%s.csv: %s %s", path, r.Status, r.text)
		}
	}
}

func TestDecisionReplaysVerdict(t *testing.T) {
	w, lab, _, _ := newReportedLab(t)
	auditor := w.as(domain.Auditor)
	history := w.get("/v1/labs/"+lab+"/history?facet=status", auditor)
	r := w.get("/v1/labs/"+lab+"/decisions/"+history.str("items.0.id"), auditor)
	if r.StatusCode != http.StatusOK || r.at("verdict") != true || r.str("findings.0.rule") != "C57" ||
		r.str("state.status") != "PROPOSED" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	proposed := w.get("/v1/labs/"+lab+"/history?facet=record", auditor)
	if r := w.get("/v1/labs/"+lab+"/decisions/"+proposed.str("items.0.id"),
		auditor); r.StatusCode != http.StatusConflict {
		t.Errorf("a registration is judged: %s %s", r.Status, r.text)
	}
}

func TestImpact(t *testing.T) {
	w, lab, _, _ := newReportedLab(t)
	auditor := w.as(domain.Auditor)
	last := w.get("/v1/labs/"+lab, auditor).at("revision")
	r := w.get("/v1/labs/"+lab+"/agreements/A1/impact?from=1&to="+fmt.Sprint(last), auditor)
	if r.StatusCode != http.StatusOK || r.at("impact.commitments.F1") == nil {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := w.get("/v1/labs/"+lab+"/agreements/A1/impact?from=1&to=999",
		auditor); r.StatusCode != http.StatusBadRequest {
		t.Errorf("%s %s", r.Status, r.text)
	}
}
