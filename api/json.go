package api

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// jsonFormat marshals and unmarshals bodies. Unlike encoding/json it rejects duplicate
// names, invalid UTF-8, unknown members and data after the value. It writes nil
// slices as [].
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		body, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return err
		}
		w.Write(body) // an error means that the client is gone
		return nil
	},
	Unmarshal: func(data []byte, v any) error {
		return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
	},
}

// parse returns a body as untyped JSON.
func parse(body []byte) (any, *Problem) {
	if len(body) == 0 {
		return nil, newProblem("malformed-body", "请求没有正文；请发送一个 JSON 对象，如 {}", "the request has no body; send a JSON object, such as {}")
	}
	var v any
	err := jsonFormat.Unmarshal(body, &v)
	if err == nil {
		return v, rejectSeals(v, "")
	}
	if field, ok := decodeFieldError(err, ""); ok {
		return nil, invalid(field)
	}
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return nil, newProblem("malformed-body", "正文不是合法的 JSON；请检查后重新发送", "the body is not JSON; check it and send it again")
	}
	where := domain.Textf("第 %d 字节", "byte %d", at.ByteOffset)
	if at.JSONPointer != "" {
		where = domain.Textf("%s（%s）", "%s (%s)", where, pathOf(at.JSONPointer))
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, newProblem("malformed-body", "正文中的成员名重复，位于%s；请只保留一个", "a member name comes twice, at %s; keep one of them", where)
	case strings.Contains(at.Err.Error(), "UTF-8"):
		return nil, newProblem("malformed-body", "正文不是有效的 UTF-8，位于%s；请以 UTF-8 编码发送", "the body is not valid UTF-8 at %s; send it encoded as UTF-8", where)
	}
	return nil, newProblem("malformed-body", "正文不是合法的 JSON，错误位于%s", "the body is not valid JSON: look at %s", where)
}

// rejectSeals refuses a body with a seal in it. It could only be copied from an
// event, and would be opened for every reader of the place it is copied to.
func rejectSeals(v any, path string) *Problem {
	switch v := v.(type) {
	case string:
		if eventstore.HoldsSeal(v) {
			return invalid(domain.FieldError{Path: path, Message: domain.T("不能含有 {sealed: 字样；请填写原文", "must not hold {sealed: ; write the text itself")})
		}
	case []any:
		for i, item := range v {
			if p := rejectSeals(item, fmt.Sprintf("%s[%d]", path, i)); p != nil {
				return p
			}
		}
	case map[string]any:
		for name, member := range v {
			if p := rejectSeals(name, path); p != nil {
				return p
			}
			if p := rejectSeals(member, joinPath(path, name)); p != nil {
				return p
			}
		}
	}
	return nil
}

// decodeFieldError returns the field error for a value of the right form that does not
// decode: a day that does not exist, an amount with too many digits.
func decodeFieldError(err error, prefix string) (domain.FieldError, bool) {
	var e *json.SemanticError
	if !errors.As(err, &e) {
		return domain.FieldError{}, false
	}
	text := domain.T("该值的格式或大小不符合要求；请对照 /openapi.json 修改", "this value does not have the form or size asked for; compare it with /openapi.json")
	if e.GoType != nil {
		if t, ok := forms[e.GoType]; ok {
			text = t.ask
		}
	}
	return domain.FieldError{Path: joinPath(prefix, pathOf(e.JSONPointer)), Message: text}, true
}

// pathOf returns a JSON pointer as the domain names fields: parties[1].entity.
func pathOf(p jsontext.Pointer) string {
	path := ""
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			path += fmt.Sprintf("[%s]", token)
		} else {
			path = joinPath(path, token)
		}
	}
	return path
}

func joinPath(a, b string) string {
	if a == "" || b == "" || b[0] == '[' {
		return a + b
	}
	return a + "." + b
}
