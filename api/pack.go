package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

type packInput struct {
	Lab       uuid.UUID   `query:"lab" doc:"One lab, with its programme"`
	Entity    uuid.UUID   `query:"entity" doc:"One legal entity"`
	From      domain.Date `query:"from" doc:"Everything recorded in a period: its first day, in China"`
	To        domain.Date `query:"to" doc:"Its last day; together with from"`
	Documents bool        `query:"documents" doc:"The contents of documents as well, where they are held; else their digests only"`
}

func (s *Server) registerPack() {
	if s.cfg.Log == nil || s.cfg.Streams == nil {
		return
	}
	op := query("audit-pack", "/v1/audit/pack", "audit",
		"导出审计包：一个实验室、一个法人、一段时期或整个登记簿的事件，连同其在签名日志中的证明、所依据的政策与规则、由此得出的状态；以 jointlab audit verify 离线核验，格式见 jointlab help pack。受委托评审机构（agency）只能导出一个实验室或一个法人的审计包。",
		"Take a pack that anybody can verify offline")
	op.Description += "\n\nEvents with the proofs that they are in the signed log, the policies and rules that " +
		"decisions were taken by, and the states that follow; jointlab audit verify checks it without this " +
		"server. An answer that is broken off is not whole, and is not verified. An agency may take that of one " +
		"laboratory or one legal entity only."
	op.Responses = map[string]*huma.Response{"200": {Description: "A ZIP file",
		Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: "string",
			Format: "binary"}}}}}
	register(s, op, s.auditPack)
	if s.cfg.Backup == nil {
		return
	}
	op = query("backup", "/v1/backup", "audit",
		"备份整个登记簿：某一签名检查点之前的全部事件、文件、检查点与推送进度；以 jointlab restore 恢复。密钥不在其中，须在服务器上以 jointlab backup secrets 另行保存。",
		"Take a backup of the whole register, while it runs")
	op.Description += "\n\nA pack of the whole registry with the documents, all checkpoints and how far " +
		"deliveries have come, at one signed checkpoint; jointlab audit verify checks it, jointlab restore makes " +
		"the register again from it. Keys are never in it: jointlab backup secrets, run on the server's machine, keeps those."
	op.Responses = map[string]*huma.Response{"200": {Description: "A ZIP file",
		Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: "string",
			Format: "binary"}}}}}
	register(s, op, s.backup)
}

func (s *Server) backup(ctx context.Context, _ *struct{}) (*export, error) {
	c, err := s.checkpoint(ctx, int64(s.model.Position()))
	if err != nil {
		return nil, err
	}
	how := audit.Export{Store: s.cfg.Streams, Now: s.now(), By: s.cfg.Version, Backup: s.cfg.Backup}
	if s.cfg.Documents != nil {
		how.Document = func(digest string) (io.ReadCloser, error) { return s.cfg.Documents.Packed(ctx, digest) }
	}
	return s.pack(ctx, c, "backup", how), nil
}

// pack returns the answer with a pack.
func (s *Server) pack(ctx context.Context, c audit.Checkpoint, name string, how audit.Export) *export {
	return &export{"application/zip", fmt.Sprintf(`attachment; filename="%s-%d.zip"`, name, c.Size), uint64(c.Size),
		func(hc huma.Context) {
			if hc.Method() == http.MethodHead {
				return
			}
			s.sendFile(hc, func(w io.Writer) error {
				_, err := s.cfg.Log.Export(ctx, w, how)
				if errors.Is(err, audit.ErrEmptyPeriod) {
					err = newProblem("not-found", "%s 至 %s 没有任何记录；请选择更长的时期", "nothing was recorded from %s to %s; choose a longer period", how.Scope.From, how.Scope.To)
				}
				return err
			})
		}}
}

func (s *Server) auditPack(ctx context.Context, in *packInput) (*export, error) {
	scope := audit.Scope{Lab: in.Lab, Entity: in.Entity, From: in.From, To: in.To}
	given, name := 0, "registry"
	for what, is := range map[string]bool{"lab-" + in.Lab.String(): in.Lab != uuid.Nil,
		"entity-" + in.Entity.String():       in.Entity != uuid.Nil,
		fmt.Sprintf("%s-%s", in.From, in.To): !in.From.IsZero() || !in.To.IsZero()} {
		if is {
			given, name = given+1, what
		}
	}
	if given > 1 || in.From.IsZero() != in.To.IsZero() || in.To.Before(in.From) {
		return nil, badParameter("query", "请只填写 lab、entity、或 from 与 to（先后两日），均不填则为整个登记簿", "give lab, or entity, or both from and to, an earlier and a later day, or none of them for the whole registry")
	}
	if in.Lab == uuid.Nil && in.Entity == uuid.Nil && !domain.Keepers.Include(readerOf(ctx).Readers()) {
		return nil, newProblem("forbidden", "您的角色只能导出一个实验室或一个法人的审计包：请填写 lab 或 entity；整个登记簿含有密钥与推送端点的记录", "your role may take the pack of one laboratory or one legal entity: give lab or entity; that of the whole registry has the records of keys and webhooks")
	}
	var err error
	if in.Lab != uuid.Nil {
		_, _, _, err = s.model.Lab(ctx, in.Lab)
	} else if in.Entity != uuid.Nil {
		_, _, _, err = s.model.Entity(ctx, in.Entity)
	}
	if err != nil {
		return nil, err
	}
	c, err := s.checkpoint(ctx, int64(s.model.Position()))
	if err != nil {
		return nil, err
	}
	how := audit.Export{Scope: scope, Store: s.cfg.Streams, Now: s.now(), By: s.cfg.Version}
	if in.Documents && s.cfg.Documents != nil {
		how.Document = func(digest string) (io.ReadCloser, error) {
			d, err := eventstore.ParseDigest(digest)
			if err != nil {
				return nil, err
			}
			return s.cfg.Documents.Open(ctx, d)
		}
	}
	return s.pack(ctx, c, name, how), nil
}
