package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/projections"
)

// Problem describes why a request failed (RFC 9457), with every reason and what the
// sender can do.
type Problem struct {
	Type      string              `json:"type" doc:"Where the kind of problem is explained, e.g. /problems/rule-not-met"`
	Title     string              `json:"title" doc:"The kind of problem, in English"`
	TitleZh   string              `json:"title_zh" doc:"The kind of problem, in Chinese"`
	Status    int                 `json:"status" doc:"The HTTP status"`
	Code      string              `json:"code" doc:"The kind of problem, for programs: the last part of type"`
	Detail    string              `json:"detail,omitempty" doc:"What stands against this request and what to do, in English"`
	DetailZh  string              `json:"detail_zh,omitempty" doc:"The same in Chinese"`
	RequestID string              `json:"request_id,omitempty" doc:"Quote it when you ask about this answer"`
	Errors    []domain.FieldError `json:"errors,omitempty" doc:"Every value at fault"`
	Findings  []domain.Finding    `json:"findings,omitempty" doc:"Every rule of the programme that is not met, with the clause word for word"`

	Decisions []uuid.UUID `json:"decisions,omitempty" doc:"Steps that were taken and would no longer meet their rules; to record the entry all the same, send it again with these in acknowledge"`

	headers http.Header
}

// Error returns the English title and detail.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType returns the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) with(name, value string) *Problem {
	p.headers = http.Header{name: {value}}
	return p
}

// kindOfProblem holds the common part of all problems of one code.
type kindOfProblem struct {
	code   string
	status int
	title  domain.Text
	advice domain.Text
}

// problems lists every kind of problem. Codes are stable, since programs decide by
// them.
var problems = []kindOfProblem{
	{"malformed-body", 400, domain.T("请求正文无法解析", "Malformed body"),
		domain.T("正文不是一个合法的 UTF-8 JSON 值，或其中的成员名重复。改正后重新发送。", "The body is not one valid JSON value in UTF-8, or names a member twice. Mend it and send it again.")},
	{"invalid-parameter", 400, domain.T("参数有误", "Invalid parameter"),
		domain.T("路径、查询参数或请求头有误；errors 逐项说明。拼写错误的筛选条件不会被忽略。", "The path, a query parameter or a header is at fault; errors says which and why. A misspelt filter is never ignored.")},
	{"unauthenticated", 401, domain.T("未通过身份验证", "Not authenticated"),
		domain.T("请在请求头 Authorization: Bearer 中提供有效令牌。令牌由登记簿管理员签发，会过期。", "Send a valid token in the header Authorization: Bearer. The register's operator issues tokens; they expire.")},
	{"forbidden", 403, domain.T("无权执行", "Not allowed"),
		domain.T("令牌的角色或所代表的法人不能这样做。请由 detail 所述角色办理，或换用相应的令牌。", "The token's role, or the legal entity it acts for, may not do this. Have the role named in detail do it, or use a token for it.")},
	{"not-found", 404, domain.T("登记簿中没有", "Not in the register"),
		domain.T("请求指向的实验室、法人、协议或事件不存在。请核对编号，或先登记。", "The lab, legal entity, agreement or event does not exist. Check the id, or register it first.")},
	{"no-such-path", 404, domain.T("没有这个地址", "No such path"),
		domain.T("请对照 /docs 核对地址和命令名称。", "Compare the path and the command's name with /docs.")},
	{"method-not-allowed", 405, domain.T("该地址不支持此方法", "Method not allowed"),
		domain.T("请使用 Allow 响应头列出的方法：命令用 POST，查询用 GET。", "Use a method from the Allow header: commands are POST, queries are GET.")},
	{"document-missing", 404, domain.T("文件未保存", "Document not held"),
		domain.T("登记簿没有保存此摘要的文件。引用它的事件见 /v1/events?basis={digest}；持有原件者可用 PUT /v1/documents 提交。", "The register holds no document with this digest. /v1/events?basis={digest} lists what refers to it; whoever has the document can hand it in with PUT /v1/documents.")},
	{"upload-broken-off", 408, domain.T("文件传输中断", "Document broke off"),
		domain.T("没有保存任何内容。请重新提交。", "Nothing was kept. Send it again.")},
	{"timeout", 408, domain.T("接收正文超时", "Body came too slowly"),
		domain.T("正文未在规定时间内到达。请重新发送。", "The body did not arrive in time. Send it again.")},
	{"rule-not-met", 409, domain.T("尚不符合规定条件", "A rule of the programme is not met"),
		domain.T("findings 逐条列出未满足的条款原文、缺少的内容，以及仅差时间时最早可行的日期。", "findings lists each clause not met, word for word, what is missing and, where only time is, the first possible day.")},
	{"wrong-state", 409, domain.T("当前状态不允许", "Not possible in the present state"),
		domain.T("请先读取当前状态，再决定下一步。", "Read the present state, then decide on the next step.")},
	{"already-exists", 409, domain.T("已经存在", "Already there"),
		domain.T("登记簿中已有同一内容，无需重复登记。", "The register holds it already; there is nothing to do again.")},
	{"write-conflict", 409, domain.T("并发写入冲突", "Others wrote at the same time"),
		domain.T("没有写入任何内容。请稍后以相同的 Idempotency-Key 重试。", "Nothing was written. Try again shortly, with the same Idempotency-Key.")},
	{"document-changed", 409, domain.T("文件已改变", "Document has changed"),
		domain.T("所保存的内容与其摘要不符，未予送出。请告知管理员查明原因；以原件重新 PUT 可恢复。", "What is held does not have its digest any more and was not sent. Tell the operator to find out why; putting in the genuine document again mends it.")},
	{"stale-revision", 412, domain.T("依据的版本已过期", "Decided on an old revision"),
		domain.T("记录在读取之后已有变更。请重新读取，再以新的 ETag 提交。", "The record has changed since it was read. Read it again, then send the command with the new ETag.")},
	{"body-too-large", 413, domain.T("正文过大", "Body too large"),
		domain.T("正文不得超过 1 MiB。文件以 PUT /v1/documents 提交，命令中只登记其 SHA-256 摘要。", "A body has at most 1 MiB. Documents are handed in with PUT /v1/documents; a command names their SHA-256 digests.")},
	{"document-too-large", 413, domain.T("文件过大", "Document too large"),
		domain.T("请压缩扫描件或分册提交；上限由管理员以 --document-limit 设定。", "Scan it at a lower resolution or hand it in in parts; the operator sets the limit with --document-limit.")},
	{"document-type-refused", 415, domain.T("不接受此类文件", "Type of document not accepted"),
		domain.T("类型依文件内容判定。请转换为 PDF 或 OFD 后提交；网页、程序和含宏的文件不予接受。", "The type is judged by the content. Convert it to PDF or OFD; pages, programs and files with macros are not taken.")},
	{"unsupported-media-type", 415, domain.T("不支持的内容类型", "Unsupported media type"),
		domain.T("请以 Content-Type: application/json 发送。", "Send it as Content-Type: application/json.")},
	{"no-such-position", 416, domain.T("账本没有该位置", "The ledger has no such position"),
		domain.T("要求从账本尚未到达的位置续传。请核对所连接的是否为同一登记簿，再从确认的位置续传；绝不会略过事件。", "The stream is to resume from a position the ledger has not reached. See that it is the same register, then resume from a position you are sure of; no event is ever passed over.")},
	{"invalid-input", 422, domain.T("填写有误", "Values at fault"),
		domain.T("errors 列出每一处有误的字段和改法。全部改正后重新提交。", "errors lists every value at fault and how to mend it. Mend them all and send it again.")},
	{"digest-mismatch", 422, domain.T("文件与摘要不符", "Document does not have its digest"),
		domain.T("传输有误或不是同一文件。请核对文件后重新提交。", "It was damaged on its way, or is another document. Compare the file and send it again.")},
	{"idempotency-key-reused", 422, domain.T("幂等键已用于另一请求", "Idempotency key used for another command"),
		domain.T("同一个 Idempotency-Key 只能用于重发同一请求。新请求请用新键。", "An Idempotency-Key repeats one command and no other. Use a new key for a new command.")},
	{"too-many-requests", 429, domain.T("请求过多", "Too many requests"),
		domain.T("没有处理该请求。请在 Retry-After 之后重试，并放慢速度或减少并发。", "The request was not handled. Send it again after Retry-After, and then more slowly, or fewer at a time.")},
	{"internal", 500, domain.T("服务器内部错误", "Internal error"),
		domain.T("这是服务器的问题。请将 request_id 告知管理员。", "This is the server's fault. Tell its operator the request_id.")},
	{"store-unavailable", 503, domain.T("存储暂不可用", "The store is unavailable"),
		domain.T("写入结果可能未知。请在 Retry-After 之后以相同的 Idempotency-Key 重发同一请求：已写入则返回原结果，未写入则写入一次。", "Whether it was written may be unknown. After Retry-After send the same request with the same Idempotency-Key: it is written once, now or then, and you get that result.")},
	{"too-costly", 503, domain.T("查询代价过高", "The query is too costly"),
		domain.T("没有得到结果，也没有改变任何内容。请缩小范围后再查询；大量数据请用快照或导出文件。", "There is no answer, and nothing was changed. Ask for less; for much, take a snapshot or an exported file.")},
	{"writing-refused", 503, domain.T("暂不接受写入", "Writing is refused for now"),
		domain.T("没有写入任何内容，读取照常。detail 说明原因和管理员应做的事；处理后请以相同的 Idempotency-Key 重发。", "Nothing was written, and reading goes on. detail says why and what the operator is to do; send the same request again after that.")},
	{"provider-unavailable", 503, domain.T("身份提供方无应答", "The identity provider does not answer"),
		domain.T("未作任何处理。请在 Retry-After 之后重试。", "Nothing was done. Try again after Retry-After.")},
	{"not-ready", 503, domain.T("尚未就绪", "Not ready"),
		domain.T("errors 说明原因。", "errors says why.")},
}

func newProblem(code, zh, en string, args ...any) *Problem {
	i := slices.IndexFunc(problems, func(k kindOfProblem) bool { return k.code == code })
	k := problems[i] // panics for a code without a row
	detail := domain.Textf(zh, en, args...)
	return &Problem{
		Type: "/problems/" + code, Title: k.title.En, TitleZh: k.title.Zh, Status: k.status, Code: code,
		Detail: detail.En, DetailZh: detail.Zh,
	}
}

// invalid returns the problem of invalid values in a body.
func invalid(fields ...domain.FieldError) *Problem {
	p := newProblem("invalid-input", "有 %d 处填写有误", "values at fault: %d", len(fields))
	p.Errors = fields
	return p
}

// badParameter returns the problem of one invalid parameter.
func badParameter(at, zh, en string, args ...any) *Problem {
	p := newProblem("invalid-parameter", "有 %d 个参数有误", "parameters at fault: %d", 1)
	p.Errors = []domain.FieldError{{Path: at, Message: domain.Textf(zh, en, args...)}}
	return p
}

var codeOf = map[domain.Kind]string{
	domain.Invalid: "invalid-input", domain.NotFound: "not-found", domain.Refused: "rule-not-met",
	domain.State: "wrong-state", domain.Exists: "already-exists", domain.Forbidden: "forbidden",
}

// problemOf returns an error of the layers below as a problem.
func problemOf(err error) *Problem {
	var (
		problem  *Problem
		rejected *domain.Rejection
		stale    *eventstore.StaleError
		reused   *eventstore.ReusedError
		query    *projections.QueryError
		beyond   *audit.BeyondError
		refused  *eventstore.RefusedError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &rejected):
		p := newProblem(codeOf[rejected.Kind], "%s", "%s", rejected.Detail)
		p.Errors, p.Findings, p.Decisions = rejected.Fields, rejected.Findings, rejected.Decisions
		return p
	case errors.As(err, &stale):
		return newProblem("stale-revision", "您依据的是%s，现在是%s；请重新读取后再决定",
			"you decided on %s, the record now stands at %s; read it again, then decide again",
			revision(stale.Expected), revision(stale.Actual))
	case errors.As(err, &reused):
		return newProblem("idempotency-key-reused", "这个 Idempotency-Key 已用于内容不同的请求；请为新请求使用新的键",
			"this Idempotency-Key came with another request before; use a new key for a new request")
	case errors.As(err, &query):
		return badParameter("query."+query.Param, "%s", "%s", query.Message)
	case errors.Is(err, eventstore.ErrDocumentMissing):
		return newProblem("document-missing", "登记簿没有保存此文件", "the register does not hold this document")
	case errors.Is(err, eventstore.ErrDocumentChanged):
		return newProblem("document-changed", "所保存的文件与其摘要不符，或已不完整", "the document held does not have its digest, or is not whole")
	case errors.As(err, &beyond):
		return newProblem("not-found", "所问的大小为 %d，而最近的检查点或所给的树只到 %d；请稍后再试，或换用较小的值",
			"that takes %d events, and the last checkpoint, or the tree asked for, is of %d; ask again later, or "+
				"for less", beyond.Asked, beyond.Size)
	case errors.Is(err, projections.ErrNotFound):
		if p := notYet(err); p != nil {
			return p
		}
		return newProblem("not-found", "登记簿中没有该记录；请核对编号", "the register holds no such record; check the id")
	case errors.Is(err, eventstore.ErrConflict):
		return newProblem("write-conflict", "其他人正在同时写入该记录，未写入任何内容；请稍后重试",
			"others kept writing to this record, and nothing was written; try again shortly").with("Retry-After", "1")
	case errors.As(err, &refused):
		return newProblem("writing-refused", "没有写入：%s", "nothing was written: %s", refused.Why).with("Retry-After", "30")
	case errors.Is(err, eventstore.ErrUnavailable):
		return newProblem("store-unavailable",
			"存储暂不可用，写入结果可能未知；请稍后以相同的 Idempotency-Key 重发同一请求，即可确定结果且不会重复写入",
			"the store is unavailable and it may be unknown whether the command was written; send the same "+
				"request with the same Idempotency-Key to settle it without writing twice").with("Retry-After", "5")
	}
	return newProblem("internal", "", "")
}

// revision returns the text of the revision of a record with that number of events.
func revision(events uint64) domain.Text {
	if events == 0 {
		return domain.T("尚无记录", "no event at all")
	}
	return domain.Textf("版本 %d", "revision %d", events-1)
}

// fail returns the problem to answer with. It logs the error if it is the server's
// own.
func (s *Server) fail(ctx context.Context, err error) *Problem {
	p, q := *problemOf(err), requestOf(ctx)
	p.RequestID, q.code = q.id, p.Code
	if p.Status >= 500 && q.err == nil {
		q.err = err
	}
	return &p
}

// fromHuma returns the problem for a request that huma refused.
func fromHuma(ctx huma.Context, status int, errs []error) *Problem {
	var p *Problem
	switch {
	case len(errs) > 0 && errors.As(errs[0], &p):
	case status == http.StatusRequestEntityTooLarge:
		p = newProblem("body-too-large", "正文超过 1 MiB；请缩短文字，文件只登记摘要", "the body has more than 1 MiB; shorten it, and register documents by their digests")
	case status == http.StatusRequestTimeout:
		p = newProblem("timeout", "正文未按时到达；请重新发送", "the body did not arrive in time; send it again")
	case status == http.StatusBadRequest && len(errs) == 0:
		p = newProblem("malformed-body", "请求没有正文；请发送一个 JSON 对象，如 {}", "the request has no body; send a JSON object, such as {}")
	case status < http.StatusInternalServerError && ctx != nil:
		fields := fieldErrors(errs)
		for i := range fields {
			fields[i] = describeForm(ctx.Operation(), fields[i])
		}
		p = newProblem("invalid-parameter", "有 %d 个参数有误", "parameters at fault: %d", len(fields))
		p.Errors = fields
	default:
		p = newProblem("internal", "", "")
	}
	if ctx != nil {
		p.RequestID = requestIDOf(ctx.Context())
	}
	return p
}

// write sends a problem outside of huma.
func (s *Server) write(w http.ResponseWriter, p *Problem) {
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Del("Content-Length")
	w.WriteHeader(p.Status)
	jsonFormat.Marshal(w, p)
}

// titlesOf returns the titles of the problems with a status, for the documentation.
func titlesOf(status int) string {
	text := ""
	for _, k := range problems {
		if k.status == status {
			if text != "" {
				text += "; "
			}
			text += k.title.En + " " + k.title.Zh + " (`" + k.code + "`)"
		}
	}
	if text == "" {
		return strconv.Itoa(status) + " " + http.StatusText(status)
	}
	return text
}
