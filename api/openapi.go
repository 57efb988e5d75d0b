package api

import (
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// registerAll builds the document and the routes from the tables.
func (s *Server) registerAll() {
	s.registry = newRegistry()
	version := s.cfg.Version
	if version == "" {
		version = "devel"
	}
	s.api = humago.New(s.mux, s.documentConfig(version))
	s.api.UseMiddleware(s.guard)
	s.correctionSchema = s.registry.Schema(reflect.TypeFor[correction](), true, "")
	s.registry.SchemaFromRef(s.correctionSchema.Ref).Properties["input"].Type = huma.TypeObject
	s.voidSchema = s.registry.Schema(reflect.TypeFor[voiding](), true, "")
	for _, c := range commands {
		bound(s.registry, s.registry.Schema(c.input, true, ""), map[string]bool{})
	}
	bound(s.registry, s.correctionSchema, map[string]bool{})
	bound(s.registry, s.voidSchema, map[string]bool{})
	s.registerCommands()
	s.registerQueries()
	s.registerDocuments()
	s.registerOpen()
	s.registerContracts(version)
	for _, schema := range s.registry.Map() {
		for _, member := range schema.Properties {
			listCodes(member)
		}
	}
	for _, item := range s.api.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			for _, p := range op.Parameters {
				listCodes(p.Schema)
			}
			explainErrors(op)
			if slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "If-None-Match" }) {
				op.Responses["304"] = &huma.Response{Description: "没有变更 / the record still stands at the revision you hold"}
			}
		}
	}
}

// documentConfig returns the part of the OpenAPI document that no operation adds.
func (s *Server) documentConfig(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "jointlab", Version: version,
				Description: "国际合作联合实验室登记簿。每次变更都是一个不可修改的事件；命令以 POST 提交，查询以 GET 读取。\n\nThe register of international joint laboratories. Every change is an event that is never edited; commands are POST, queries are GET.",
			},
			Servers: []*huma.Server{{URL: "/", Description: "this server"}},
			Tags: []*huma.Tag{
				{Name: "labs", Description: "联合实验室 / Joint laboratories"},
				{Name: "entities", Description: "法人 / Legal entities"},
				{Name: "programmes", Description: "计划、政策文件、指标体系和通知 / Programmes, policies, indicator systems and notices"},
				{Name: "agreements", Description: "协议、责权利、投入 / Agreements, rights and funding across labs"},
				{Name: "reports", Description: "报表：每份均有 JSON 与 CSV / Reports, each as JSON and as CSV"},
				{Name: "documents", Description: "文件原件 / Signed texts and other evidence, by their digests"},
				{Name: "keys", Description: "服务密钥：系统以其登录 / Service keys, with which systems sign in"},
				{Name: "persons", Description: "事件所述人员的个人信息及其删除 / Persons named in events, and their erasure"},
				{Name: "webhooks", Description: "推送端点及其推送日志 / Endpoints that events are delivered to, and what became of each delivery"},
				{Name: "events", Description: "事件与审计线索 / Events and the audit trail"},
				{Name: "audit", Description: "签名的日志与证明 / The signed log and its proofs; C2SP tlog-tiles are under /log/"},
			},
			Components: &huma.Components{
				Schemas: s.registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "Ed25519 (EdDSA) 签名的令牌 / a token signed with Ed25519: iss, aud, exp, sub, role and, for host and partner, ent; 或服务密钥 / or a service key, jlk_…",
				}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	}
}

// query returns the operation of a query, with its summary in Chinese and English.
func query(id, path, tag, zh, en string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: en, Description: zh,
		Tags: []string{tag}}
}

// explainErrors documents the problems behind each status.
func explainErrors(op *huma.Operation) {
	for _, k := range problems {
		if r, ok := op.Responses[fmt.Sprint(k.status)]; ok {
			r.Description = titlesOf(k.status)
		}
	}
}

// problemPage lists the kinds of problems.
var problemPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jointlab: problems</title>
{{range .}}
<h2 id="{{.Code}}"><a href="/problems/{{.Code}}">{{.Code}}</a> · HTTP {{.Status}}</h2>
<p lang="zh"><strong>{{.Title.Zh}}</strong>：{{.Advice.Zh}}</p>
<p lang="en"><strong>{{.Title.En}}</strong>: {{.Advice.En}}</p>
{{end}}
</html>
`))

type problemRow struct {
	Code          string
	Status        int
	Title, Advice struct{ Zh, En string }
}

// registerOpen registers the routes without authentication: the reference, the kinds
// of problems, and the health and readiness checks.
func (s *Server) registerOpen() {
	s.mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	s.registerReference()
	rows := make([]problemRow, len(problems))
	for i, k := range problems {
		rows[i].Code, rows[i].Status = k.code, k.status
		rows[i].Title.Zh, rows[i].Title.En = k.title.Zh, k.title.En
		rows[i].Advice.Zh, rows[i].Advice.En = k.advice.Zh, k.advice.En
		s.mux.HandleFunc("GET /problems/"+k.code, s.problemsPage(&rows, i, i+1))
	}
	s.mux.HandleFunc("GET /problems", s.problemsPage(&rows, 0, len(rows)))
	s.mux.HandleFunc("GET /healthz", page("application/json", `{"alive":true}`))
	s.mux.HandleFunc("GET /readyz", s.ready)
}

func (s *Server) problemsPage(rows *[]problemRow, from, to int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		problemPage.Execute(w, (*rows)[from:to])
	}
}
