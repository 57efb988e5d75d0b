package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

func TestFolderInUse(t *testing.T) {
	data := t.TempDir()
	server := startServer(t, data)
	file := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct {
		args []string
		todo string
	}{
		{[]string{"serve", "--listen", "127.0.0.1:0"}, "stop that one first, or choose another folder"},
		{[]string{"verify"}, "jointlab verify cannot ask a server: where one runs on the folder, stop it first"},
		{[]string{"rebuild"}, "jointlab rebuild cannot ask a server: where one runs on the folder, stop it first"},
		{[]string{"audit", "check"}, "jointlab audit check cannot ask a server: where one runs on the folder, stop it first"},
		{[]string{"backup", file}, "give its address, jointlab backup --server http://…"},
		{[]string{"key", "list"}, "give its address, jointlab key list --server http://…"},
	} {
		said := refused(t, append(c.args, "--data", data)...)
		if !strings.Contains(said, "in use by another process") || !strings.Contains(said, c.todo) ||
			strings.Contains(said, "import") {
			t.Errorf("jointlab %v: %s", c.args, said)
		}
	}
	if said, fails := diagnose(t, "--data", data); !fails ||
		!strings.Contains(said, "give its address, jointlab doctor --server http://…") {
		t.Error(said)
	}
	server.stop(t)
	output(t, "verify", "--data", data)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, data := within(t), t.TempDir()
	server := startServer(t, data, "--demo")
	anyone := client{base: server.url, http: httpClient()}
	var list struct {
		Items []struct {
			ID     string     `json:"id"`
			Status lab.Status `json:"status"`
		} `json:"items"`
		Total int `json:"total"`
	}
	if err := anyone.get(ctx, "/v1/labs", &list); err != nil {
		t.Fatal(err)
	}
	var seen []lab.Status
	for _, item := range list.Items {
		seen = append(seen, item.Status)
		var one struct {
			Document lab.Lab `json:"document"`
		}
		if err := anyone.get(ctx, "/v1/labs/"+item.ID, &one); err != nil {
			t.Fatal(err)
		}
		for _, m := range one.Document.Moves {
			seen = append(seen, m.From, m.To)
		}
	}
	for _, s := range lab.Statuses {
		if !slices.Contains(seen, s) {
			t.Errorf("no demo lab is or was %s", s)
		}
	}
	var overdue, commitments struct {
		Total int `json:"total"`
	}
	today := url.QueryEscape(domain.DateOf(time.Now()).String())
	if err := anyone.get(ctx, "/v1/rights?overdue_on="+today, &overdue); err != nil || overdue.Total == 0 {
		t.Errorf("overdue responsibilities: %d, %v", overdue.Total, err)
	}
	for _, currency := range []string{"CNY", "EUR", "JPY"} {
		if err := anyone.get(ctx, "/v1/commitments?currency="+currency, &commitments); err != nil || commitments.Total == 0 {
			t.Errorf("commitments in %s: %d, %v", currency, commitments.Total, err)
		}
	}
	var held struct {
		Policy   domain.Policy       `json:"policy"`
		Document programme.Programme `json:"document"`
	}
	if err := anyone.get(ctx, demoProgramme, &held); err != nil || held.Policy.Document != lab.Policy ||
		len(held.Document.Policies) != 2 || len(held.Document.Systems) != 2 ||
		len(held.Document.Notices) != 1 || len(held.Document.Notices[0].Decisions) != 3 {
		t.Errorf("the demo's programme: %+v, %v", held, err)
	}
	var reviews lab.Reviews
	if err := anyone.get(ctx, "/v1/labs/"+demoLab(9).String()+"/reviews", &reviews); err != nil ||
		len(reviews.Applications) != 1 || len(
		reviews.Applications[0].Dimensions,
	) != 4 || len(reviews.Applications[0].Opinions) != 0 ||
		len(reviews.Acceptances) != 1 || len(reviews.Acceptances[0].Cells) != 10 || reviews.Opened.IsZero() {
		t.Errorf("the reviews of the demo's open lab: %+v, %v", reviews, err)
	}
	// The open lab has all the programme asks of its records, but what it owes on purpose.
	var readiness struct {
		Raised []domain.Finding `json:"raised"`
	}
	if err := anyone.get(ctx, "/v1/labs/"+demoLab(9).String()+"/readiness", &readiness); err != nil ||
		len(readiness.Raised) != len(lab.RecordRules) {
		t.Errorf("%d rules about its records are raised, %v", len(readiness.Raised), err)
	}
	for _, f := range readiness.Raised {
		if owed := f.Rule == "C41" || f.Rule == "C59"; f.Met == owed {
			t.Errorf("the demo's open lab: %s met %v: %v", f.Rule, f.Met, f.Missing)
		}
	}
	var watches struct {
		Items []lab.Watch `json:"items"`
	}
	if err := anyone.get(ctx, "/v1/labs/"+demoLab(9).String()+"/watches", &watches); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"support-overdue", "visit-owed", "term-ends"} {
		if !slices.ContainsFunc(watches.Items, func(w lab.Watch) bool { return w.Kind == kind }) {
			t.Errorf("the demo's open lab has nothing to watch as %s: %+v", kind, watches.Items)
		}
	}
	server.stop(t)
	before := ledger(t, data)
	server = startServer(t, data, "--demo")
	server.stop(t)
	if after := ledger(t, data); len(after) != len(before) {
		t.Errorf("loading the demo again took the ledger from %d events to %d", len(before), len(after))
	}
	if len(list.Items) < 6 || len(list.Items) > 10 {
		t.Errorf("the demo has %d labs", len(list.Items))
	}
}

func TestReplayFromServer(t *testing.T) {
	t.Parallel()
	ctx, data := within(t), t.TempDir()
	demonstrated(t, data)
	server := startServer(t, data, "--anonymous-read")
	anyone := client{base: server.url, http: httpClient()}
	var trail struct {
		Items []struct {
			Source   string `json:"source"`
			Position uint64 `json:"position"`
		} `json:"items"`
	}
	if err := anyone.get(ctx, "/v1/events?type=lab.record.corrected.v1&limit=1", &trail); err != nil {
		t.Fatal(err)
	}
	lab, at := strings.TrimPrefix(trail.Items[0].Source, "/labs/"), fmt.Sprint(trail.Items[0].Position)
	out := output(t, "replay", "--server", server.url, "--lab", lab, "--as-of", at)
	if last := out[strings.LastIndex(out, "  position "):]; !strings.Contains(last, "  position "+at+" ") || !strings.Contains(last, "更正此前的登记") || !strings.Contains(last, "\n    ~ agreements/A1/signatures/") {
		t.Errorf("the last step is not the correction with what it changed:\n%s", last)
	}
	server.stop(t)
	if again := output(t, "replay", "--data", data, "--lab", lab, "--as-of", at); again != out {
		t.Errorf("from the folder it reads otherwise:\n%s", again)
	}
}

func TestExposed(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8080": false, "[::1]:8080": false, "localhost:0": false, "127.8.9.1:1": false,
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, "10.0.0.5:4222": true, "register.example:443": true,
	} {
		if got := exposed(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
