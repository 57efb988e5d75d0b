package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jointlab/jointlab/domain"
)

// table registers a report whose rows are flat: at path as JSON, and at
// path.csv as CSV with the same columns in the same order. Texts in two
// languages become two columns.
func table[I, R any](s *Server, op huma.Operation, rows func(context.Context, *I) ([]R, error)) {
	register(s, op, func(ctx context.Context, in *I) (*list[R], error) {
		items, err := rows(ctx, in)
		return whole(items), err
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
		return &csvFile{"text/csv; charset=utf-8", fmt.Sprintf(`attachment; filename="%s.csv"`, strings.TrimSuffix(op.OperationID, "-csv")), asCSV(items)}, nil
	})
}

type csvFile struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// asCSV writes rows under their JSON names. The byte order mark makes
// spreadsheets read UTF-8, and a value that a spreadsheet would take for a
// formula is kept from being one.
func asCSV[R any](rows []R) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.Write(columns(reflect.TypeFor[R]()))
	for _, r := range rows {
		w.Write(cells(reflect.ValueOf(r)))
	}
	w.Flush()
	return b.Bytes()
}

var textType = reflect.TypeFor[domain.Text]()

func columns(t reflect.Type) (names []string) {
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

func cells(v reflect.Value) (values []string) {
	for i := range v.NumField() {
		if text, ok := v.Field(i).Interface().(domain.Text); ok {
			values = append(values, inert(text.Zh), inert(text.En))
			continue
		}
		if v.Field(i).IsZero() && v.Field(i).Kind() != reflect.Int && v.Field(i).Kind() != reflect.Bool && v.Field(i).Type() != reflect.TypeFor[domain.Decimal]() {
			values = append(values, "")
			continue
		}
		values = append(values, inert(fmt.Sprint(v.Field(i).Interface())))
	}
	return values
}

// inert keeps a spreadsheet from running a value; a negative number is one still.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		if _, err := domain.ParseDecimal(s); err != nil {
			return "'" + s
		}
	}
	return s
}

func report(id, path, zh, en string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: en, Description: zh, Tags: []string{"reports"}}
}
