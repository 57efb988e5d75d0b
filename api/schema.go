package api

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// huma keeps these settings in variables of its package. Problems are written
// by this package alone, arrays are never null, and names are exact.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(nil, status, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(ctx, status, errs)
	}
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
}

// form is the JSON form of a domain type that is encoded as a string.
type form struct {
	schema huma.Schema
	ask    domain.Text
}

// forms has the types with a text form of their own. A text that matches the pattern
// may still fail to decode: 2023-02-30 has the form of a day.
var forms = map[reflect.Type]form{
	reflect.TypeFor[uuid.UUID](): {huma.Schema{Type: "string", Format: "uuid"},
		domain.T("请填写 UUID，如 0190a5d4-7c1e-7000-8000-000000000001", "give a UUID, such as 0190a5d4-7c1e-7000-8000-000000000001")},
	reflect.TypeFor[domain.Date](): {huma.Schema{Type: "string", Format: "date", Examples: []any{"2024-02-29"}},
		domain.T("请填写存在的日期 YYYY-MM-DD，如 2024-02-29", "write an existing day as YYYY-MM-DD, e.g. 2024-02-29")},
	reflect.TypeFor[domain.PartialDate](): {huma.Schema{Type: "string", Pattern: `^\d{4}(-\d{2}(-\d{2})?)?$`,
		Examples: []any{"2015-12"}},
		domain.T("请按已知程度填写日期 YYYY、YYYY-MM 或 YYYY-MM-DD", "write the date as YYYY, YYYY-MM or YYYY-MM-DD, as far as it is known")},
	reflect.TypeFor[domain.Decimal](): {huma.Schema{Type: "string", Pattern: `^-?\d{1,30}(\.\d{1,30})?$`,
		Examples: []any{"1200000.00"}},
		domain.T("请以字符串填写普通数字，如 \"1200000.00\"，最多 30 位", "write plain digits as a string, such as \"1200000.00\", at most 30 of them")},
}

// These types give huma the schemas of types that do not import huma.
type (
	uuidForm    struct{}
	dateForm    struct{}
	partialForm struct{}
	decimalForm struct{}
	anything    struct{}
)

func schemaOf[T any]() *huma.Schema { s := forms[reflect.TypeFor[T]()].schema; return &s }

func (uuidForm) Schema(huma.Registry) *huma.Schema    { return schemaOf[uuid.UUID]() }
func (dateForm) Schema(huma.Registry) *huma.Schema    { return schemaOf[domain.Date]() }
func (partialForm) Schema(huma.Registry) *huma.Schema { return schemaOf[domain.PartialDate]() }
func (decimalForm) Schema(huma.Registry) *huma.Schema { return schemaOf[domain.Decimal]() }
func (anything) Schema(huma.Registry) *huma.Schema    { return &huma.Schema{} }

func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registerForms(r)
	return r
}

func registerForms(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[uuidForm]())
	r.RegisterTypeAlias(reflect.TypeFor[domain.Date](), reflect.TypeFor[dateForm]())
	r.RegisterTypeAlias(reflect.TypeFor[domain.PartialDate](), reflect.TypeFor[partialForm]())
	r.RegisterTypeAlias(reflect.TypeFor[domain.Decimal](), reflect.TypeFor[decimalForm]())
	r.RegisterTypeAlias(reflect.TypeFor[jsontext.Value](), reflect.TypeFor[anything]())
}

// releasedNames keeps the names that schemas had in the contracts before their
// Go types were renamed.
var releasedNames = map[string]string{
	"Grounds":          "Because",
	"KeyRevoked":       "RevokedKey",
	"EndpointPaused":   "PausedDelivery",
	"EndpointResumed":  "ResumedDelivery",
	"EndpointDisabled": "DisabledEndpoint",
	"EndpointRemoved":  "RemovedEndpoint",
}

// schemaName returns the name of a type's schema, distinct for lab.Rename and
// entity.Rename.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	name = cmp.Or(releasedNames[name], name)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if pkg := path.Base(t.PkgPath()); slices.Contains(eventstore.Kinds(), pkg) {
		if prefix := strings.ToUpper(pkg[:1]) + pkg[1:]; prefix != name {
			return prefix + name
		}
	}
	return name
}

// codeLists has the lists of codes that an enum tag may name.
var codeLists = map[any][]any{"statuses": anyOf(lab.Statuses), "roles": anyOf(domain.Roles)}

func anyOf[C ~string](codes []C) (list []any) {
	for _, c := range codes {
		list = append(list, string(c))
	}
	return list
}

// listCodes replaces the name of a list in an enum by its codes.
func listCodes(s *huma.Schema) {
	for ; s != nil; s = s.Items {
		if len(s.Enum) == 1 && codeLists[s.Enum[0]] != nil {
			s.Enum = codeLists[s.Enum[0]]
			s.PrecomputeMessages()
		}
	}
}

// maxText bounds texts without a maxLength, so that no accepted body becomes an event
// too large to append.
const maxText = 4000

func bound(r huma.Registry, s *huma.Schema, seen map[string]bool) {
	if s == nil || seen[s.Ref] {
		return
	}
	if s.Ref != "" {
		seen[s.Ref] = true
		bound(r, r.SchemaFromRef(s.Ref), seen)
		return
	}
	if s.Type == "string" && s.MaxLength == nil && s.Format == "" && s.Pattern == "" && s.Enum == nil {
		n := maxText
		s.MaxLength = &n
		s.PrecomputeMessages()
	}
	bound(r, s.Items, seen)
	for _, p := range s.Properties {
		bound(r, p, seen)
	}
}

// check returns an error for each value in v that does not fit the schema, with paths
// under prefix. It never repeats values, since they may be personal.
func check(r huma.Registry, schema *huma.Schema, prefix string, v any) []domain.FieldError {
	var res huma.ValidateResult
	at := huma.NewPathBuffer(nil, 0)
	if prefix != "" {
		at.Push(prefix)
	}
	huma.Validate(r, schema, at, huma.ModeWriteToServer, v, &res)
	return fieldErrors(res.Errors)
}

// fieldErrors returns huma's errors in both languages, ordered by path.
func fieldErrors(errs []error) []domain.FieldError {
	var fields []domain.FieldError
	for _, err := range errs {
		var detail huma.ErrorDetailer
		if !errors.As(err, &detail) {
			continue
		}
		fields = append(fields, translate(detail.ErrorDetail()))
	}
	slices.SortStableFunc(fields, func(a, b domain.FieldError) int { return cmp.Compare(a.Path, b.Path) })
	return fields
}

// phrases maps each message of huma to one a person can act on.
var phrases = []struct{ format, zh, en string }{
	{validation.MsgUnexpectedProperty, "没有这个字段；请对照 /openapi.json 核对拼写", "there is no such member here; check its spelling against /openapi.json"},
	{validation.MsgExpectedRequiredProperty, "请填写 %[1]s", "give %[1]s"},
	{validation.MsgExpectedRFC3339Date, forms[reflect.TypeFor[domain.Date]()].ask.Zh,
		forms[reflect.TypeFor[domain.Date]()].ask.En},
	{validation.MsgExpectedRFC3339DateTime, "请填写时间，如 2024-02-29T08:00:00Z", "write a time as RFC 3339 has it, e.g. 2024-02-29T08:00:00Z"},
	{validation.MsgExpectedRFC4122UUID, forms[reflect.TypeFor[uuid.UUID]()].ask.Zh,
		forms[reflect.TypeFor[uuid.UUID]()].ask.En},
	{fmt.Sprintf(validation.MsgExpectedMatchPattern, forms[reflect.TypeFor[domain.PartialDate]()].schema.Pattern),
		forms[reflect.TypeFor[domain.PartialDate]()].ask.Zh, forms[reflect.TypeFor[domain.PartialDate]()].ask.En},
	{fmt.Sprintf(validation.MsgExpectedMatchPattern, forms[reflect.TypeFor[domain.Decimal]()].schema.Pattern),
		forms[reflect.TypeFor[domain.Decimal]()].ask.Zh, forms[reflect.TypeFor[domain.Decimal]()].ask.En},
	{validation.MsgExpectedMatchPattern, "格式应符合 %[1]s", "write it so that it matches %[1]s"},
	{validation.MsgExpectedBoolean, "应为 true 或 false", "give true or false"},
	{validation.MsgExpectedNumber, "应为数字", "give a number"},
	{validation.MsgExpectedInteger, "应为整数", "give a whole number"},
	{validation.MsgExpectedString, "应为字符串，请加引号", "give a string, in quotation marks"},
	{validation.MsgExpectedArray, "应为数组 […]", "give an array, […]"},
	{validation.MsgExpectedObject, "应为对象 {…}", "give an object, {…}"},
	{validation.MsgExpectedOneOf, "应为以下之一：%[1]s", "give one of: %[1]s"},
	{validation.MsgExpectedMinimumNumber, "应不小于 %[1]s", "give a number of at least %[1]s"},
	{validation.MsgExpectedMaximumNumber, "应不大于 %[1]s", "give a number of at most %[1]s"},
	{validation.MsgExpectedMinLength, "长度应不少于 %[1]s 个字符", "write at least %[1]s characters"},
	{validation.MsgExpectedMaxLength, "长度应不超过 %[1]s 个字符", "write at most %[1]s characters"},
	{validation.MsgExpectedMinItems, "至少应有 %[1]s 项", "give at least %[1]s items"},
	{validation.MsgExpectedMaxItems, "最多可有 %[1]s 项", "give at most %[1]s items"},
	{"invalid integer", "应为整数", "give a whole number"},
	{"invalid boolean", "应为 true 或 false", "give true or false"},
	{"invalid date/time for format %s", "请填写时间，如 2024-02-29T08:00:00Z", "write a time as RFC 3339 has it, e.g. 2024-02-29T08:00:00Z"},
	{"required %s parameter is missing", "缺少该参数，请补充", "this parameter is missing; give it"},
	{"unknown query parameter", "没有这个查询参数；请对照 /openapi.json 核对拼写", "there is no such query parameter; check its spelling against /openapi.json"},
	{"empty query parameter", "查询参数没有值；请填写或去掉", "this query parameter has no value; give one or leave it out"},
	{"repeated query parameter", "该查询参数只能出现一次", "give this query parameter once"},
	{"repeated or empty header", "该请求头应出现一次且不为空，或不出现", "give this header once and with a value, or leave it out"},
}

var verb = regexp.MustCompile(`%[vds]`)

// phrasePatterns has the pattern of each format in phrases.
var phrasePatterns = func() []*regexp.Regexp {
	var res []*regexp.Regexp
	for _, p := range phrases {
		parts := verb.Split(p.format, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		res = append(res, regexp.MustCompile("^"+strings.Join(parts, "(.*)")+"$"))
	}
	return res
}()

func translate(d *huma.ErrorDetail) domain.FieldError {
	for i, p := range phrases {
		m := phrasePatterns[i].FindStringSubmatch(d.Message)
		if m == nil {
			continue
		}
		at := d.Location
		if p.format == validation.MsgExpectedRequiredProperty {
			at = joinPath(at, m[1]) // huma names the object that lacks it
		}
		say := func(text string) string { return strings.ReplaceAll(text, "%[1]s", strings.Join(m[1:], "")) }
		return domain.FieldError{Path: at, Message: domain.T(say(p.zh), say(p.en))}
	}
	return domain.FieldError{Path: d.Location, Message: unknownMessage}
}

// unknownMessage replaces a message that is not in phrases.
var unknownMessage = domain.T("该值不符合要求；请对照 /openapi.json 修改", "this value does not fit; compare it with /openapi.json")

// describeForm returns f with the form of the parameter, where huma only reports that
// it does not decode.
func describeForm(op *huma.Operation, f domain.FieldError) domain.FieldError {
	for _, p := range op.Parameters {
		if f.Message != unknownMessage || p.In+"."+p.Name != f.Path {
			continue
		}
		for _, form := range forms {
			if form.schema.Format != "" && form.schema.Format == p.Schema.Format {
				f.Message = form.ask
			}
		}
	}
	return f
}
