package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/jointlab/jointlab/domain"
)

// correctedLab returns a lab with a correction, and a reason that a spreadsheet would
// run.
func correctedLab(w *world) (lab, host string) {
	w.Helper()
	host, partner := w.parties()
	lab = w.incubating(host, partner, "2024-05-01")
	h := w.as(domain.Host, host)
	wrong := w.done("/v1/labs/"+lab+"/set-discipline", h, `{"discipline":{"zh":"环景科学","en":"Enviromental Science"},"reason":"=HYPERLINK(\"http://x\",\"y\")","basis":{"document":"校发〔2024〕3号","digest":"`+digest+`"}}`)
	w.done("/v1/labs/"+lab+"/correct", w.as(domain.Officer), `{"event":"`+wrong.str("events.0.id")+`","command":"set-discipline","reason":"录入有误","input":{"discipline":{"zh":"环境科学","en":"Environmental Science"}}}`)
	return lab, host
}

func TestExportEqualsPages(t *testing.T) {
	w := newWorld(t)
	lab, host := correctedLab(w)
	auditor := w.as(domain.Auditor)
	for _, test := range []struct{ path, filter, file string }{
		{"/v1/events", "", fmt.Sprintf("events-%d", w.head())},
		{"/v1/events", "legal_entity=" + host, fmt.Sprintf("events-%d", w.head())},
		{"/v1/events", "basis=" + digest + "&role=host", fmt.Sprintf("events-%d", w.head())},
		{"/v1/events", "correlation=nobody", fmt.Sprintf("events-%d", w.head())},
		{"/v1/labs/" + lab + "/history", "effective_from=2020-01-11", fmt.Sprintf("lab-%s-history-%d", lab, w.head())},
		{"/v1/entities/" + host + "/history", "", fmt.Sprintf("entity-%s-history-%d", host, w.head())},
	} {
		page := w.get(test.path+"?order=oldest&limit=500&"+test.filter, auditor)
		items := page.at("items").([]any)
		if (len(items) == 0) != strings.Contains(test.filter, "nobody") {
			t.Fatalf("%s: %s", test.filter, page.text)
		}
		get := func(ext string) response {
			r := w.get(test.path+"."+ext+"?"+test.filter, auditor)
			if r.StatusCode != 200 || r.Header.Get("Ledger-Position") != fmt.Sprint(w.head()) ||
				r.Header.Get("Content-Disposition") != `attachment; filename="`+test.file+"."+ext+`"` {
				t.Fatalf("%s.%s: %s %v", test.path, ext, r.Status, r.Header)
			}
			return r
		}
		lines := strings.SplitAfter(get("ndjson").text, "\n")
		table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(get("csv").text, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		book, err := excelize.OpenReader(strings.NewReader(get("xlsx").text))
		if err != nil {
			t.Fatal(err)
		}
		sheet, err := book.GetRows("Sheet1")
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != len(items)+1 || lines[len(items)] != "" || len(table) != len(items)+1 ||
			len(sheet) != len(items)+1 {
			t.Fatalf("%s?%s: %d events, %d lines, %d rows of CSV, %d of XLSX", test.path, test.filter, len(items),
				len(lines), len(table), len(sheet))
		}
		for i, item := range items {
			entry := item.(map[string]any)
			kept := w.get(fmt.Sprintf("/v1/events/%.0f", entry["position"]), auditor)
			if sha256.Sum256([]byte(strings.TrimSuffix(lines[i], "\n"))) != sha256.Sum256([]byte(kept.text)) {
				t.Errorf("line %d is not the event as it is kept", i)
			}
			if table[i+1][0] != fmt.Sprintf("%.0f", entry["position"]) {
				t.Errorf("row %d is position %s", i, table[i+1][0])
			}
			for j, cell := range table[i+1] {
				if j < len(sheet[i+1]) && sheet[i+1][j] != strings.TrimPrefix(cell, "'") ||
					j >= len(sheet[i+1]) && cell != "" {
					t.Errorf("row %d, %s: %q in CSV, not in XLSX", i, table[0][j], cell)
				}
			}
		}
	}
	if w.get("/v1/events.csv?limit=5", auditor).StatusCode != 400 ||
		w.get("/v1/labs/"+host+"/history.csv", auditor).StatusCode != 404 {
		t.Error("an export takes parameters of a page, or a lab that is none")
	}
	if r := w.get("/v1/events.xlsx?basis=sha256:12", auditor); r.StatusCode != 400 ||
		r.Header.Get("Content-Disposition") != "" || r.str("errors.0.path") != "query.basis" {
		t.Errorf("%s %v", r.text, r.Header)
	}
}

func TestExportEscapesFormulas(t *testing.T) {
	w := newWorld(t)
	lab, _ := correctedLab(w)
	auditor := w.as(domain.Auditor)
	path := "/v1/labs/" + lab + "/history"
	table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.get(path+".csv", auditor).text,
		"\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range table[0] {
		column[name] = i
	}
	wrong, right := table[len(table)-2], table[len(table)-1]
	if right[column["corrects"]] != wrong[column["event"]] || wrong[column["corrected_by"]] != right[column["event"]] {
		t.Errorf("%q\n%q", wrong, right)
	}
	if wrong[column["reason"]] != `'=HYPERLINK("http://x","y")` || wrong[column["on_behalf_of_name_zh"]] != "清华大学" || wrong[column["basis_document"]] != "校发〔2024〕3号" {
		t.Errorf("%q", wrong)
	}
	book, err := excelize.OpenReader(bytes.NewReader([]byte(w.get(path+".xlsx", auditor).text)))
	if err != nil {
		t.Fatal(err)
	}
	at, err := excelize.CoordinatesToCellName(column["reason"]+1, len(table)-1)
	if err != nil {
		t.Fatal(err)
	}
	value, err := book.GetCellValue("Sheet1", at)
	formula, ferr := book.GetCellFormula("Sheet1", at)
	kind, kerr := book.GetCellType("Sheet1", at)
	if err != nil || ferr != nil || kerr != nil || value != `=HYPERLINK("http://x","y")` || formula != "" ||
		kind != excelize.CellTypeInlineString {
		t.Errorf("%s is %q, formula %q, type %d", at, value, formula, kind)
	}
	if r := w.send(http.MethodHead, path+".csv", auditor, ""); r.StatusCode != 200 || r.text != "" {
		t.Errorf("HEAD: %s", r.Status)
	}
}
