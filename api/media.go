package api

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// accepted lists the media types of documents: those that people sign, scan and print
// and that remain readable for decades. None of them is executable.
var accepted = []string{
	"application/pdf",
	"application/ofd", // GB/T 33190
	"image/png", "image/jpeg", "image/tiff",
	"text/plain", // also CSV, Markdown, mail
	"text/xml",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// sniffBytes is the size of the prefix that sniff reads.
const sniffBytes = 1024

// sniff returns the media type of a document by its content, or false if the register
// does not accept it.
func sniff(r io.ReaderAt, size int64) (media string, ok bool) {
	head := make([]byte, min(size, sniffBytes))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return "", err == nil
	}
	media, _, _ = strings.Cut(http.DetectContentType(head), ";")
	switch {
	case bytes.HasPrefix(head, []byte("II*\x00")) || bytes.HasPrefix(head, []byte("MM\x00*")):
		media = "image/tiff"
	case media == "application/zip":
		media = packageType(r, size)
	case media == "text/xml" && isScript(head), media == "text/plain" && (isScript(head) || !isText(head)):
		media = "" // SVG, XHTML, a script
	}
	return media, slices.Contains(accepted, media)
}

// packageType returns the media type of a ZIP package, empty if it holds macros.
func packageType(r io.ReaderAt, size int64) string {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return ""
	}
	media := ""
	for _, f := range z.File {
		switch name := strings.ToLower(strings.TrimPrefix(f.Name, "/")); {
		case path.Base(name) == "vbaproject.bin" || path.Ext(name) == ".exe" || path.Ext(name) == ".js":
			return ""
		case name == "ofd.xml":
			media = "application/ofd"
		case name == "word/document.xml":
			media = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
		case name == "xl/workbook.xml":
			media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
		}
	}
	return media
}

// isScript reports whether a browser or a shell would run a text.
func isScript(head []byte) bool {
	lower := bytes.ToLower(head)
	return bytes.HasPrefix(head, []byte("#!")) || slices.ContainsFunc([]string{"<svg", "<html", "<script",
		"http://www.w3.org/1999/xhtml", "<xsl:", "<?php"}, func(mark string) bool {
		return bytes.Contains(lower, []byte(mark))
	})
}

// isText reports whether a document begins as UTF-8, the last character perhaps
// cut off, without control characters.
func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return len(head) < utf8.UTFMax && !utf8.FullRune(head)
		}
		head = head[n:]
	}
	return true
}
