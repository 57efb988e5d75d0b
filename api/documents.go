package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// DefaultDocumentLimit is the default of Config.DocumentLimit, in bytes.
const DefaultDocumentLimit = 64 << 20

// slowestUpload is the slowest average upload, in bytes a second.
const slowestUpload = 32 << 10

// Upload is a document that is uploaded. Its body is read as a stream.
type Upload struct {
	ContentDigest string `header:"Content-Digest" doc:"RFC 9530: sha-256=:<base64>:, the digest the document must have" example:"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"`
	ReprDigest    string `header:"Repr-Digest" doc:"RFC 9530, as Content-Digest"`
	OldDigest     string `header:"Digest" doc:"RFC 3230: sha-256=<base64>, as Content-Digest"`
	w             http.ResponseWriter
	r             *http.Request
}

// Resolve keeps the request, whose body huma does not read.
func (u *Upload) Resolve(ctx huma.Context) []error {
	u.r, u.w = humago.Unwrap(ctx)
	return nil
}

type namedUpload struct {
	Digest string `path:"digest" pattern:"^sha256:[0-9a-f]{64}$" doc:"The digest the document must have"`
	Upload
}

// stored is the answer to an upload.
type stored struct {
	Status   int
	Location string `header:"Location" doc:"Where the document is read"`
	ETag     string `header:"ETag"`
	Body     DocumentView
}

// DocumentView describes a stored document.
type DocumentView struct {
	Digest string    `json:"digest" doc:"sha256: and 64 hex digits, as commands and events refer to it"`
	Size   int64     `json:"size" doc:"Bytes"`
	Type   string    `json:"type" doc:"Media type, as the document itself shows"`
	Stored time.Time `json:"stored,omitzero" doc:"When it was first put in"`
	Held   bool      `json:"held" doc:"It was held before; nothing was changed"`
}

type documentInput struct {
	Digest      string `path:"digest" pattern:"^sha256:[0-9a-f]{64}$" doc:"sha256: and 64 hex digits"`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag you hold: a document never changes under its digest"`
	head        bool
}

func (in *documentInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.head = r.Method == http.MethodHead
	return nil
}

// documentFile is the answer with a document. Its headers keep browsers from running
// the document.
type documentFile struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Length      string `header:"Content-Length"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Cache       string `header:"Cache-Control"`
	ETag        string `header:"ETag"`
	Body        func(huma.Context)
}

// ReferenceState is the state of a document that events refer to.
type ReferenceState string

// The states of a reference.
const (
	Held    ReferenceState = "held"    // stored, with the right digest
	Missing ReferenceState = "missing" // not stored
	Changed ReferenceState = "changed" // stored with other or incomplete content
)

type referencesInput struct {
	State  ReferenceState `query:"state" enum:"held,missing,changed" doc:"Only documents of which this is so. held and changed need every document read and hashed"`
	Limit  int            `query:"limit" minimum:"1" maximum:"500" doc:"At most so many; 50 unless said"`
	Cursor string         `query:"cursor" pattern:"^sha256:[0-9a-f]{64}$" doc:"What the page before gave as next"`
}

// referenceView is a document that events refer to.
type referenceView struct {
	Digest string         `json:"digest"`
	State  ReferenceState `json:"state"`
	Size   int64          `json:"size,omitzero" doc:"Bytes, where it is held"`
	Type   string         `json:"type,omitempty" doc:"Media type, where it is held"`
	Events int            `json:"events" doc:"How many events refer to it: /v1/events?basis=<digest>"`
	First  []uint64       `json:"first" doc:"The positions of the first of them, at most 20"`
}

type references struct {
	Body struct {
		Items    []referenceView `json:"items"`
		Examined int             `json:"examined" doc:"How many documents this page looked at"`
		Next     string          `json:"next,omitempty" doc:"The cursor of the next page; absent: this is the last"`
	}
}

// pageTime bounds how long one page of references checks documents.
const pageTime = 20 * time.Second

func (s *Server) registerDocuments() {
	if s.cfg.Documents == nil {
		return
	}
	put := huma.Operation{
		OperationID:   "put-document",
		Method:        http.MethodPut,
		Path:          "/v1/documents",
		Tags:          []string{"documents"},
		Summary:       "Hand in a document",
		DefaultStatus: http.StatusCreated,
		Description: fmt.Sprintf("提交文件原件；以其 SHA-256 摘要保存，命令与事件以摘要引用。已有同一文件时不重复保存；已损坏的，以此恢复。正文即文件本身，最大 %d MiB，类型依内容判定：%s。\n\nThe body is the document itself, at most %[1]d MiB; its type is judged by its content. It is kept under its SHA-256, by which commands and events refer to it. A document that is held is not kept twice; one that was damaged is made whole.",
			s.cfg.DocumentLimit>>20, strings.Join(accepted, ", ")),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}},
		Responses: map[string]*huma.Response{"200": {
			Description: "It was held already",
			Content: map[string]*huma.MediaType{"application/json": {
				Schema: s.registry.Schema(reflect.TypeFor[DocumentView](), true, ""),
			}},
		}},
		Errors: []int{400, 401, 403, 408, 413, 415, 422, 500, 503},
	}
	as := put
	as.OperationID, as.Path, as.Summary = "put-document-as", "/v1/documents/{digest}",
		"Hand in the document with a digest"
	as.Responses, as.Errors = maps.Clone(put.Responses),
		append(put.Errors, 404) // a path that is no digest may match no route
	register(s, put, func(ctx context.Context, in *Upload) (*stored, error) { return s.putDocument(ctx, in, "") })
	register(s, as, func(ctx context.Context, in *namedUpload) (*stored, error) {
		return s.putDocument(ctx, &in.Upload, in.Digest)
	})
	get := query("get-document", "/v1/documents/{digest}", "documents", "读取文件原件。可读取最先提及它的记录中某一引用它的事件者，即可读取它；其他记录提及其摘要，并不使其公开（申请材料与专家签名的文件另从其保密类别，见 /v1/access/events）。送出之前重新计算摘要；缺失或已改变的文件不予送出，并说明情况。", "Read a document")
	get.Description += "\n\nWhoever may read an event that refers to it, in the record that named it first, may " +
		"read it: that another record names its digest opens it to nobody. What is handed in for a review and " +
		"what experts sign has a class of its own, see /v1/access/events. It is hashed before it is sent and " +
		"once more while it is: one that is missing or changed is never sent as if it were whole. HEAD does not hash."
	get.Errors = []int{400, 401, 403, 404, 409, 500, 503}
	get.Responses = map[string]*huma.Response{"200": {
		Description: "The document, byte for byte",
		Content:     map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}}
	register(s, get, s.getDocument)
	register(s, query("list-documents", "/v1/documents", "documents", "列出事件所引用的文件及其状况：已保存、缺失、已改变。", "List the documents that events refer to"), s.listReferences)
}

// expectedDigest returns the digest that the sender states, or false if it states
// none.
func (u *Upload) expectedDigest(path string) (digest eventstore.Digest, stated bool, err error) {
	for _, given := range []struct{ name, value, prefix, suffix string }{
		{"path.digest", path, "sha256:", ""},
		{"header.Content-Digest", u.ContentDigest, "sha-256=:", ":"},
		{"header.Repr-Digest", u.ReprDigest, "sha-256=:", ":"},
		{"header.Digest", u.OldDigest, "sha-256=", ""},
	} {
		if given.value == "" {
			continue
		}
		var sum []byte
		for one := range strings.SplitSeq(given.value, ",") { // of several algorithms
			one = strings.TrimSpace(one)
			if len(one) < len(given.prefix)+len(given.suffix) ||
				!strings.EqualFold(one[:len(given.prefix)], given.prefix) {
				continue
			}
			text := strings.TrimSuffix(one[len(given.prefix):], given.suffix)
			if path == given.value {
				sum, err = hex.DecodeString(text)
			} else {
				sum, err = base64.StdEncoding.DecodeString(text)
			}
		}
		if err != nil || len(sum) != len(digest) {
			return digest, false, badParameter(given.name, "请给出 SHA-256 摘要，如 sha-256=:<base64>:", "give a SHA-256 digest, as sha-256=:<base64>:")
		}
		if stated && !bytes.Equal(sum, digest[:]) {
			return digest, false, badParameter(given.name, "同一请求中给出了两个不同的摘要", "the request states two different digests")
		}
		copy(digest[:], sum)
		stated = true
	}
	return digest, stated, nil
}

// putDocument spools the body while it hashes it, so that nothing is stored before
// the document is complete and has the stated digest.
func (s *Server) putDocument(ctx context.Context, in *Upload, path string) (*stored, error) {
	want, stated, err := in.expectedDigest(path)
	if err != nil {
		return nil, err
	}
	if in.r.Header.Get("Content-Encoding") != "" {
		return nil, badParameter("header.Content-Encoding", "请提交未经压缩的文件", "send the document as it is, without an encoding")
	}
	file, digest, size, err := s.spool(in)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if stated && digest != want {
		return nil, newProblem("digest-mismatch", "收到的文件摘要为 %s，与所声明的 %s 不符；未作保存", "what came has the digest %s, not the %s that was stated; nothing was kept", digest, want)
	}
	media, ok := sniff(file, size)
	if !ok {
		return nil, newProblem("document-type-refused", "该文件不属于可接受的类型：%s", "the document is none of what is accepted: %s", strings.Join(accepted, ", "))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("api: put document: %w", err)
	}
	held, err := s.cfg.Documents.Put(ctx, digest, media, file)
	if err != nil {
		return nil, err
	}
	about, err := s.cfg.Documents.Stat(ctx, digest)
	if err != nil {
		return nil, err
	}
	logAttrs(ctx, "digest", digest, "size", size, "type", about.Type, "held", held)
	status := http.StatusCreated
	if held {
		status = http.StatusOK
	}
	return &stored{status, "/v1/documents/" + digest.String(), `"` + digest.String() + `"`, DocumentView{
		Digest: digest.String(), Size: about.Size, Type: about.Type, Stored: about.Stored,
		Held: held,
	}}, nil
}

// spool returns the body of an upload in a file without a name, with its digest and
// size. It allows a document more time than the server's deadlines for commands.
func (s *Server) spool(in *Upload) (_ *os.File, digest eventstore.Digest, size int64, err error) {
	tooLarge := newProblem("document-too-large", "文件超过 %d 字节", "the document has more than %d bytes", s.cfg.DocumentLimit)
	if in.r.ContentLength > s.cfg.DocumentLimit {
		return nil, digest, 0, tooLarge.with("Connection", "close")
	}
	control := http.NewResponseController(in.w)
	deadline := time.Now().Add(writeTimeout + time.Duration(s.cfg.DocumentLimit/slowestUpload)*time.Second)
	err = errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline.Add(writeTimeout)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, digest, 0, fmt.Errorf("api: put document: %w", err)
	}
	file, err := os.CreateTemp(s.cfg.Spool, "upload-*")
	if err != nil {
		return nil, digest, 0, fmt.Errorf("api: put document: %w: %w", eventstore.ErrUnavailable, err)
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil { // the space is freed however the upload ends
		return nil, digest, 0, fmt.Errorf("api: put document: %w", err)
	}
	hash := sha256.New()
	body := &incoming{r: in.r.Body}
	size, err = io.Copy(io.MultiWriter(file, hash), io.LimitReader(body, s.cfg.DocumentLimit+1))
	switch {
	case body.err != nil:
		return nil, digest, 0, newProblem("upload-broken-off", "文件在第 %d 字节处中断，未作保存；请重新提交", "the document broke off at byte %d and nothing was kept; send it again", size).with("Connection", "close")
	case err != nil:
		return nil, digest, 0, fmt.Errorf("api: put document: %w: %w", eventstore.ErrUnavailable, err)
	case size > s.cfg.DocumentLimit:
		return nil, digest, 0, tooLarge.with("Connection", "close")
	case size == 0:
		return nil, digest, 0, newProblem("malformed-body", "请求没有正文；请以文件本身作为正文", "the request has no body; send the document itself as the body")
	}
	return file, eventstore.Digest(hash.Sum(nil)), size, nil
}

// incoming keeps the read error of a body apart from the write error of a full disk.
type incoming struct {
	r   io.Reader
	err error
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func (s *Server) getDocument(ctx context.Context, in *documentInput) (*documentFile, error) {
	digest, err := eventstore.ParseDigest(in.Digest)
	if err != nil {
		return nil, badParameter("path.digest", "请填写 sha256: 加 64 位小写十六进制数字", "give sha256: and 64 hex digits in lower case")
	}
	may, err := s.model.MayRead(ctx, readerOf(ctx), digest)
	if err == nil && !may {
		err = eventstore.ErrDocumentMissing
	}
	if err != nil {
		return nil, err
	}
	about, err := s.cfg.Documents.Stat(ctx, digest)
	if err != nil {
		return nil, err
	}
	out := &documentFile{
		Status: http.StatusOK, ContentType: about.Type, Length: fmt.Sprint(about.Size), ETag: `"` + in.Digest + `"`,
		Disposition: `attachment; filename="` + strings.TrimPrefix(in.Digest, "sha256:") + `"`,
		Policy:      "sandbox; default-src 'none'; frame-ancestors 'none'",
		Cache:       "private, max-age=31536000, immutable",
	}
	if in.head {
		out.Body = func(c huma.Context) { c.SetStatus(http.StatusOK) }
		return out, nil
	}
	if err := s.cfg.Documents.Check(ctx, digest); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(strings.Split(in.IfNoneMatch, ","),
		func(t string) bool { return strings.TrimSpace(t) == out.ETag }) {
		out.Length, out.Body = "", func(c huma.Context) { c.SetStatus(http.StatusNotModified) }
		return out, nil
	}
	out.Body = func(c huma.Context) {
		s.sendFile(c, func(w io.Writer) error { return s.cfg.Documents.Copy(ctx, digest, w) })
	}
	return out, nil
}

// listReferences checks documents until the page is full or pageTime has passed.
func (s *Server) listReferences(ctx context.Context, in *referencesInput) (*references, error) {
	var from eventstore.Digest
	if in.Cursor != "" {
		var err error
		if from, err = eventstore.ParseDigest(in.Cursor); err != nil {
			return nil, badParameter("query.cursor", "分页游标无效；请从第一页重新开始", "the cursor is broken; start again at the first page")
		}
	}
	limit, out, until := in.Limit, &references{}, time.Now().Add(pageTime)
	if limit == 0 {
		limit = 50
	}
	const atOnce = 200
	for {
		found, err := s.model.References(ctx, readerOf(ctx), from, atOnce)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if len(out.Body.Items) == limit || out.Body.Examined > 0 && time.Now().After(until) {
				out.Body.Next = r.Digest.String()
				return out, nil
			}
			view, err := s.reference(ctx, r, in.State == Missing)
			if err != nil {
				return nil, err
			}
			if out.Body.Examined++; in.State == "" || view.State == in.State {
				out.Body.Items = append(out.Body.Items, view)
			}
		}
		if len(found) < atOnce {
			return out, nil
		}
		from = found[atOnce-1].Digest.Next()
	}
}

// reference returns the state of a document. With presence it does not check the
// digest, which is enough to list missing documents.
func (s *Server) reference(ctx context.Context, r projections.Reference, presence bool) (referenceView, error) {
	v := referenceView{Digest: r.Digest.String(), Events: r.Events, State: Held}
	for _, p := range r.First {
		v.First = append(v.First, uint64(p))
	}
	about, err := s.cfg.Documents.Stat(ctx, r.Digest)
	if err == nil {
		v.Size, v.Type = about.Size, about.Type
		if !presence {
			err = s.cfg.Documents.Check(ctx, r.Digest)
		}
	}
	switch {
	case errors.Is(err, eventstore.ErrDocumentMissing):
		v.State, err = Missing, nil
	case errors.Is(err, eventstore.ErrDocumentChanged):
		v.State, err = Changed, nil
	}
	return v, err
}
