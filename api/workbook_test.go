package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/xuri/excelize/v2"
)

func TestWorkbookContinuesOnNewSheet(t *testing.T) {
	var out bytes.Buffer
	b, err := newWorkbook(&out, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	long := strings.Repeat("验", excelize.TotalCellChars) // fits; one more does not
	texts := []string{"=1+1", "007", "-1", "1e5", "a\tb\nc <&> \"", long, long + "收", "𠮷" + strings.Repeat("a", excelize.TotalCellChars-1), "_x0041_", " space "}
	if err := b.write([]any{"text", "number"}); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if err := b.write([]any{text, uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if sheets := book.GetSheetList(); !slices.Equal(sheets, []string{"Sheet1", "Sheet2", "Sheet3", "Sheet4"}) {
		t.Fatalf("%d rows, four a sheet with their heading, are on %v", len(texts), sheets)
	}
	var got []string
	for _, sheet := range book.GetSheetList() {
		rows, err := book.GetRows(sheet)
		if err != nil || rows[0][0] != "text" || len(rows) > 4 {
			t.Fatalf("%s: %q %v", sheet, rows, err)
		}
		for _, row := range rows[1:] {
			if row[1] != fmt.Sprint(len(got)) {
				t.Errorf("%s: row %q", sheet, row[1])
			}
			got = append(got, row[0])
		}
	}
	for i, text := range texts {
		switch {
		case i == 6 || i == 7:
			if !strings.HasSuffix(got[i], cut) || len([]rune(got[i])) > excelize.TotalCellChars {
				t.Errorf("text %d is cut without saying so: …%s", i, got[i][len(got[i])-200:])
			}
		case got[i] != text:
			t.Errorf("text %d: %.40q, want %.40q", i, got[i], text)
		}
	}
}

func TestAnswerFailure(t *testing.T) {
	s := newDocServer(t)
	s.cfg.AnonymousRead = true
	s.log = slog.New(slog.DiscardHandler)
	for path, sent := range map[string]int{"/nothing": 0, "/some": 200_000} {
		id := map[string]string{"/nothing": "get-event-csv",
			"/some": "get-event-xlsx"}[path] // both in the table of access
		register(s, query(id, path, "events", "", ""), func(context.Context, *struct{}) (*export, error) {
			return &export{"text/csv", "attachment", 7, func(c huma.Context) {
				s.sendFile(c, func(w io.Writer) error {
					if sent > 0 {
						w.Write(bytes.Repeat([]byte("x"), sent))
					}
					return errors.New("the ledger has a gap")
				})
			}}, nil
		})
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/nothing")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 500 || res.Header.Get("Content-Disposition") != "" ||
		res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	res, err = http.Get(srv.URL + "/some")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("an export broken off after %d bytes passes for whole", len(body))
	}
}
