package api

import (
	"archive/zip"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
)

// workbook writes a table as XLSX (ISO/IEC 29500): texts as texts, never as
// formulas, on as many sheets as its rows need. Rows wait in temporary files,
// so that memory stays bounded and nothing is sent before all rows are there.
type workbook struct {
	to     io.Writer
	file   *excelize.File
	sheets []*excelize.StreamWriter
	sheet  *excelize.StreamWriter // the last of them
	head   []any
	bold   int // style
	most   int // rows a sheet, its heading included
	row    int // last one written
}

// newWorkbook is a table on w, with as many rows a sheet as the format has or
// fewer; close lets go of its temporary files.
func newWorkbook(w io.Writer, most int) (*workbook, error) {
	b := &workbook{to: w, file: excelize.NewFile(), most: most}
	var err error
	b.bold, err = b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	return b, err
}

func (b *workbook) write(row []any) error {
	if b.head == nil {
		b.head = row
		return b.nextSheet()
	}
	if b.row == b.most {
		if err := b.nextSheet(); err != nil {
			return err
		}
	}
	return b.set(row)
}

func (b *workbook) nextSheet() (err error) {
	name := fmt.Sprintf("Sheet%d", len(b.sheets)+1) // the first is there
	if _, err := b.file.NewSheet(name); err != nil {
		return err
	}
	if b.sheet, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	b.sheets = append(b.sheets, b.sheet)
	if err := b.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	b.row = 0
	return b.set(b.head, excelize.RowOpts{StyleID: b.bold})
}

// set writes the next row.
func (b *workbook) set(row []any, options ...excelize.RowOpts) error {
	b.row++
	fits := make([]any, len(row))
	for i, c := range row {
		fits[i] = c
		if text, ok := c.(string); ok {
			fits[i] = shortened(text)
		}
	}
	return b.sheet.SetRow(fmt.Sprintf("A%d", b.row), fits, options...)
}

// end writes the file. The library would compress it into memory first; given
// a ZIP writer of ours it goes where it should.
func (b *workbook) end() error {
	for _, sheet := range b.sheets {
		if err := sheet.Flush(); err != nil {
			return err
		}
	}
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(b.to) })
	return b.file.Write(io.Discard)
}

// close removes what was laid aside.
func (b *workbook) close() error { return b.file.Close() }

const cut = "… [已截断，全文见 NDJSON 导出 / cut here: see the NDJSON export]"

// shortened says where a text is longer than a cell can be; the library would
// cut it without a word.
func shortened(text string) string {
	if len(text) <= excelize.TotalCellChars {
		return text
	}
	units := utf16.Encode([]rune(text))
	if len(units) <= excelize.TotalCellChars {
		return text
	}
	return string(utf16.Decode(units[:excelize.TotalCellChars-len(utf16.Encode([]rune(cut)))-1])) + cut
}
