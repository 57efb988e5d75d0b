package api

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// checkpointView is a signed statement of the log's size and root.
type checkpointView struct {
	Origin   string        `json:"origin" doc:"The log's name"`
	Size     int64         `json:"size" doc:"How many events it is of: positions 1 to size"`
	Root     string        `json:"root" doc:"The tree's root (RFC 6962), in hex; base64 in the note"`
	Note     string        `json:"note" doc:"The checkpoint as it was signed (C2SP tlog-checkpoint), with the cosignatures it has"`
	Cosigned *cosignedView `json:"cosigned,omitempty" doc:"The last checkpoint that a witness has cosigned; absent: there is none"`
}

type cosignedView struct {
	Size int64  `json:"size"`
	Note string `json:"note"`
}

type keyView struct {
	Origin string `json:"origin"`
	Key    string `json:"key" doc:"Verifies checkpoints (C2SP signed-note): <origin>+<hash>+<base64>. Keep it where this server cannot change it"`
}

type proofInput struct {
	Position uint64 `query:"position" required:"true" minimum:"1" maximum:"9007199254740991" doc:"The event's position in the ledger"`
	Size     int64  `query:"size" minimum:"1" maximum:"9007199254740991" doc:"Of the tree to prove it in; the last checkpoint's unless given"`
}

// proofView is the inclusion proof of one event. The docs of its fields define the
// hashed bytes, so that a proof can be checked with SHA-256 alone.
type proofView struct {
	Position uint64     `json:"position"`
	Index    int64      `json:"index" doc:"Of the leaf, from 0: the position less one"`
	Entry    string     `json:"entry" doc:"SHA-256 of the event's bytes, in hex, as all hashes here"`
	Leaf     string     `json:"leaf" doc:"SHA-256 of the byte 00 and the entry"`
	Size     int64      `json:"size" doc:"Of the tree"`
	Path     []stepView `json:"path" doc:"Begin with the leaf; each step makes a new hash of the one before and its own; the last is the root"`
	Root     string     `json:"root"`
	Note     string     `json:"checkpoint,omitempty" doc:"The last checkpoint, where it is of that size"`
}

type stepView struct {
	Left  string `json:"left,omitempty" doc:"The new hash is the SHA-256 of the byte 01, this one, and the one before"`
	Right string `json:"right,omitempty" doc:"The new hash is the SHA-256 of the byte 01, the one before, and this one"`
}

type consistencyInput struct {
	From int64 `query:"from" required:"true" minimum:"0" maximum:"9007199254740991" doc:"Size of the older tree"`
	To   int64 `query:"to" minimum:"0" maximum:"9007199254740991" doc:"Size of the newer tree; the last checkpoint's unless given"`
}

type consistencyView struct {
	From     int64    `json:"from"`
	To       int64    `json:"to"`
	FromRoot string   `json:"from_root"`
	ToRoot   string   `json:"to_root"`
	Path     []string `json:"path" doc:"The consistency proof of RFC 6962, 2.1.2, in hex; verify it as RFC 9162, 2.1.4.2, says"`
}

// bare is an answer without a revision.
type bare[T any] struct{ Body T }

func (s *Server) registerAudit() {
	if s.cfg.Log == nil {
		return
	}
	register(s, query("audit-checkpoint", "/v1/audit/checkpoint", "audit", "最近一次签名的检查点：全部事件的默克尔树的大小和根。", "Read the last signed checkpoint"), s.auditCheckpoint)
	register(s, query("audit-key", "/v1/audit/key", "audit", "验证检查点的公钥。请将其保存在本服务器无法改动之处。", "Read the key that verifies checkpoints"), s.auditKey)
	register(s, query("audit-proof", "/v1/audit/proof", "audit", "证明一个事件在签名的日志之中：由该事件的字节出发，沿路径逐步求 SHA-256，得到检查点的根。", "Prove that an event is in the log"), s.auditProof)
	register(s, query("audit-consistency", "/v1/audit/consistency", "audit", "证明较早的日志是较新日志的开头，即其间没有任何事件被改动或删除。", "Prove that the log only grew"), s.auditConsistency)
	// The rest follows C2SP tlog-tiles. It is public, since it holds hashes only.
	s.mux.HandleFunc("GET /log/checkpoint", s.logCheckpoint)
	s.mux.HandleFunc("GET /log/tile/{path...}", s.logTile)
	s.mux.HandleFunc("POST /log/cosignatures", s.logCosignatures)
}

func hexed(h tlog.Hash) string { return hex.EncodeToString(h[:]) }

// checkpoint returns the latest checkpoint, or waits for the first one.
func (s *Server) checkpoint(ctx context.Context, size int64) (audit.Checkpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if _, err := s.cfg.Log.Wait(ctx, size); err != nil {
		return audit.Checkpoint{}, err
	}
	c, _ := s.cfg.Log.Published()
	return c, nil
}

func (s *Server) auditCheckpoint(ctx context.Context, _ *struct{}) (*bare[checkpointView], error) {
	c, err := s.checkpoint(ctx, 0)
	if err != nil {
		return nil, err
	}
	v := checkpointView{Origin: c.Origin, Size: c.Size, Root: hexed(c.Root), Note: string(c.Note)}
	if w, ok := s.cfg.Log.Cosigned(); ok {
		v.Cosigned = &cosignedView{w.Size, string(w.Note)}
	}
	return &bare[checkpointView]{v}, nil
}

func (s *Server) auditKey(ctx context.Context, _ *struct{}) (*bare[keyView], error) {
	c, err := s.checkpoint(ctx, 0)
	return &bare[keyView]{keyView{c.Origin, s.cfg.Log.Key()}}, err
}

// auditProof returns the proof of an event, once a checkpoint covers it.
func (s *Server) auditProof(ctx context.Context, in *proofInput) (*bare[proofView], error) {
	head, err := s.ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	at := eventstore.Position(in.Position)
	if at > head {
		return nil, newProblem("not-found", "账本目前只到位置 %d", "the ledger ends at position %d as yet", head)
	}
	c, err := s.checkpoint(ctx, int64(at))
	if err != nil {
		return nil, err
	}
	size := in.Size
	if size == 0 {
		size = c.Size
	}
	p, err := s.cfg.Log.Inclusion(at, size)
	if err != nil {
		return nil, err
	}
	v := proofView{Position: in.Position, Index: p.Index, Entry: hexed(p.Entry), Leaf: hexed(p.Leaf), Size: p.Size,
		Root: hexed(p.Root), Path: []stepView{}}
	for _, sibling := range p.Path {
		if sibling.Left {
			v.Path = append(v.Path, stepView{Left: hexed(sibling.Hash)})
		} else {
			v.Path = append(v.Path, stepView{Right: hexed(sibling.Hash)})
		}
	}
	if c.Size == size {
		v.Note = string(c.Note)
	}
	return &bare[proofView]{v}, nil
}

func (s *Server) auditConsistency(ctx context.Context, in *consistencyInput) (*bare[consistencyView], error) {
	c, err := s.checkpoint(ctx, 0)
	if err != nil {
		return nil, err
	}
	to := in.To
	if to == 0 {
		to = c.Size
	}
	roots, path, err := s.cfg.Log.Consistency(in.From, to)
	if err != nil {
		return nil, err
	}
	v := consistencyView{From: in.From, To: to, FromRoot: hexed(roots[0]), ToRoot: hexed(roots[1]), Path: []string{}}
	for _, h := range path {
		v.Path = append(v.Path, hexed(h))
	}
	return &bare[consistencyView]{v}, nil
}

func (s *Server) logCheckpoint(w http.ResponseWriter, r *http.Request) {
	c, err := s.checkpoint(r.Context(), 0)
	if err != nil {
		s.write(w, s.fail(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(c.Note)
}

func (s *Server) logTile(w http.ResponseWriter, r *http.Request) {
	content, whole, ok, err := s.cfg.Log.Tile("tile/" + r.PathValue("path"))
	if err == nil && !ok {
		err = newProblem("not-found", "最近的检查点所含的树中没有这个分片", "the tree of the last checkpoint has no such tile")
	}
	if err != nil {
		s.write(w, s.fail(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if whole {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Write(content)
}

func (s *Server) logCosignatures(w http.ResponseWriter, r *http.Request) {
	signed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNote))
	if err == nil {
		err = s.cfg.Log.Cosign(signed)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case errors.As(err, &tooLarge), errors.Is(err, audit.ErrNotCosigned):
		logAttrs(r.Context(), "cosignature", clip(err.Error()))
		err = newProblem("invalid-input", "请发送本日志签名的检查点，并附上已配置见证方的联署（cosignature/v1）", "send a checkpoint of this log as it was signed, with the cosignature (cosignature/v1) of a witness that is configured here added")
	}
	s.write(w, s.fail(r.Context(), err))
}

// maxNote bounds a checkpoint with all its cosignatures, in bytes.
const maxNote = 64 << 10
