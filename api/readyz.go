package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jointlab/jointlab/domain"
)

// maxLag is the number of events that a ready read model may be behind: more than a
// busy second appends.
const maxLag = 1000

// readiness is the answer of /readyz while all is well.
type readiness struct {
	Ready    bool   `json:"ready"`
	Position uint64 `json:"position"`
	Head     uint64 `json:"head"`
}

// ready reports whether commands can be written and queries are up to date, and
// lists every reason if not.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	var reasons []domain.FieldError
	add := func(path, zh, en string, args ...any) {
		reasons = append(reasons, domain.FieldError{Path: path, Message: domain.Textf(zh, en, args...)})
	}
	for _, problem := range s.cfg.Problems() {
		add("store", "存储不可写：%s", "the store may not be written to: %s", problem)
	}
	if s.cfg.Log != nil {
		for _, problem := range s.cfg.Log.Problems() {
			add("log", "不再签署检查点：%s", "no checkpoint is signed: %s", problem)
		}
	}
	for _, problem := range s.cfg.Behind() {
		add("status", "状态事件流未跟上：%s", "the stream of status events does not keep up: %s", problem)
	}
	h := s.model.Health(ctx)
	switch {
	case h.Stopped != nil:
		add("model", "读模型已停止；请查看日志", "the read model has stopped; see the log")
	case h.HeadError != nil:
		add("ledger", "账本没有应答", "the ledger does not answer")
	case h.Head > h.Position+maxLag:
		add("model", "读模型落后 %d 个事件", "the read model is %d events behind", h.Head-h.Position)
	}
	if len(reasons) > 0 {
		p := newProblem("not-ready", "尚有 %d 项原因", "reasons: %d", len(reasons)).with("Retry-After", "5")
		p.Errors = reasons
		s.write(w, s.fail(r.Context(), p))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	jsonFormat.Marshal(w, readiness{true, uint64(h.Position), uint64(h.Head)})
}
