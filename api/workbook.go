package api

import (
	"archive/zip"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
)

// workbook writes a table as XLSX (ISO/IEC 29500): texts as texts, never as formulas,
// on as many sheets as its rows need. Rows are spooled in temporary files, so that
// memory stays bounded and nothing is sent before all rows are written.
type workbook struct {
	to     io.Writer
	file   *excelize.File
	sheets []*excelize.StreamWriter
	sheet  *excelize.StreamWriter // the last of them
	head   []any
	bold   int // style
	most   int // rows of a sheet, with its heading
	row    int // last row written
}

// newWorkbook returns a table on w with at most most rows a sheet, capped by the
// format. close must be called to remove its temporary files.
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
	name := fmt.Sprintf("Sheet%d", len(b.sheets)+1) // the first exists
	if _, err := b.file.NewSheet(name); err != nil {
		return err
	}
	if b.sheet, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	b.sheets = append(b.sheets, b.sheet)
	panes := &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}
	if err := b.sheet.SetPanes(panes); err != nil {
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

// end writes the file. It passes a ZIP writer to the library, which would otherwise
// compress the file in memory first.
func (b *workbook) end() error {
	for _, sheet := range b.sheets {
		if err := sheet.Flush(); err != nil {
			return err
		}
	}
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(b.to) })
	return b.file.Write(io.Discard)
}

// close removes the temporary files.
func (b *workbook) close() error { return b.file.Close() }

const cut = "… [已截断，全文见 NDJSON 导出 / cut here: see the NDJSON export]"

// shortened returns a text cut to the size of a cell, with a mark where the library
// would cut it silently.
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
