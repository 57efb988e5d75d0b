package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jointlab/jointlab/domain"
)

// table registers a report with flat rows: at path as JSON, and at path.csv as CSV with
// the same columns in the same order. Bilingual texts become two columns.
func table[I, R any](s *Server, op huma.Operation, rows func(context.Context, *I) ([]R, error)) {
	register(s, op, func(ctx context.Context, in *I) (*list[R], error) {
		items, err := rows(ctx, in)
		return unpaged(items), err
	})
	op.OperationID, op.Path = op.OperationID+"-csv", op.Path+".csv"
	op.Summary, op.Description = op.Summary+", as CSV", op.Description+"（CSV）"
	op.Responses = map[string]*huma.Response{"200": {
		Description: "CSV, UTF-8 with a byte order mark",
		Content:     map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: "string"}}},
	}}
	register(s, op, func(ctx context.Context, in *I) (*csvFile, error) {
		items, err := rows(ctx, in)
		if err != nil {
			return nil, err
		}
		return &csvFile{"text/csv; charset=utf-8",
			fmt.Sprintf(`attachment; filename="%s.csv"`, strings.TrimSuffix(op.OperationID, "-csv")),
			asCSV(items, unsealerOf(ctx))}, nil
	})
}

type csvFile struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func asCSV[R any](rows []R, reads *unsealer) []byte {
	var b bytes.Buffer
	t := newCSV(&b)
	t.write(headings[R]()) // into memory, which cannot fail
	for _, r := range rows {
		t.write(reads.inCells(cells(reflect.ValueOf(r))))
	}
	t.end()
	return b.Bytes()
}

// tableWriter writes a table to a file, row by row. The file is complete only once end
// has returned nil.
type tableWriter interface {
	write(row []any) error
	end() error
}

// csvTable writes CSV. The byte order mark makes spreadsheets read UTF-8. Values that a
// spreadsheet would read as formulas are escaped.
type csvTable struct {
	to  *csv.Writer
	row []string
}

func newCSV(w io.Writer) *csvTable {
	b := bufio.NewWriterSize(w, 64<<10)
	b.WriteString("\ufeff") // the next write repeats an error
	return &csvTable{to: csv.NewWriter(b)}
}

func (t *csvTable) write(row []any) error {
	t.row = t.row[:0]
	for _, c := range row {
		t.row = append(t.row, escapeFormula(fmt.Sprint(c)))
	}
	return t.to.Write(t.row)
}

func (t *csvTable) end() error {
	t.to.Flush() // and the buffer behind it, which is the same
	return t.to.Error()
}

var textType = reflect.TypeFor[domain.Text]()

// headings returns the JSON names of a row's members.
func headings[R any]() (names []any) {
	t := reflect.TypeFor[R]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Type == textType {
			names = append(names, name+"_zh", name+"_en")
			continue
		}
		names = append(names, name)
	}
	return names
}

// cells returns a row's values: integers as numbers, all others as text.
func cells(v reflect.Value) (values []any) {
	for i := range v.NumField() {
		f := v.Field(i)
		text, isText := f.Interface().(domain.Text)
		switch {
		case isText:
			values = append(values, text.Zh, text.En)
		case f.CanInt() || f.CanUint():
			values = append(values, f.Interface())
		case f.IsZero() && f.Kind() != reflect.Bool && f.Type() != reflect.TypeFor[domain.Decimal]():
			values = append(values, "")
		default:
			values = append(values, fmt.Sprint(f.Interface()))
		}
	}
	return values
}

// escapeFormula returns s in a form that a spreadsheet does not run. A negative number
// stays a number.
func escapeFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		if _, err := domain.ParseDecimal(s); err != nil {
			return "'" + s
		}
	}
	return s
}

func report(id, path, zh, en string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: en, Description: zh,
		Tags: []string{"reports"}}
}
