package api

import (
	"reflect"
	"strings"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

// vocabulary has the words for each member of the documents; those for a list name one
// item. They are the tags zh and en of the member's field, or in sharedWords if many
// types share the member.
var vocabulary = func() map[string]domain.Text {
	words := map[string]domain.Text{}
	for _, row := range sharedWords {
		words[row[0]] = domain.T(row[1], row[2])
	}
	eachMember(func(name string, f reflect.StructField) {
		if zh, ok := f.Tag.Lookup("zh"); ok {
			words[name] = domain.T(zh, f.Tag.Get("en"))
		}
	})
	return words
}()

// eachMember calls visit with each member of the documents and its field.
func eachMember(visit func(name string, f reflect.StructField)) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			f := t.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				visit(name, f)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[lab.Lab]())
	walk(reflect.TypeFor[entity.Entity]())
	walk(reflect.TypeFor[programme.Programme]())
}

// sharedWords has the words for members of several types.
var sharedWords = [][3]string{
	{"affiliation", "隶属关系", "affiliation"}, {"agreement", "协议", "agreement"}, {"amendment", "补充协议", "amendment"},
	{"amount", "金额", "amount"}, {"awards", "授予", "award"}, {"by", "办理人", "by"},
	{"corrected_by", "更正人", "corrected by"}, {"country", "国家或地区", "country or region"},
	{"decided", "决定日期", "decided on"}, {"decision", "决定", "decision"}, {"delivered", "已到位", "delivered"},
	{"digest", "摘要", "digest"}, {"dimension", "方面", "dimension"}, {"discipline", "学科", "discipline"},
	{"document", "文件", "document"}, {"documents", "文本", "text"}, {"due", "到期日", "due"},
	{"effective", "施行期", "in effect"}, {"ended", "终止", "ended"}, {"entity", "法人", "legal entity"},
	{"established", "成立日期", "established on"}, {"event", "事件", "event"}, {"events", "事件", "event"},
	{"evidence", "证明材料", "evidence"}, {"facts", "来源事实", "fact"}, {"follows", "接续", "follows"},
	{"from", "起", "from"}, {"ground", "理由", "ground"}, {"id", "编号", "id"}, {"identifiers", "标识", "identifier"},
	{"indicator", "指标", "indicator"}, {"indicators", "指标", "indicator"}, {"kind", "种类", "kind"},
	{"lang", "语种", "language"}, {"level", "级别", "level"}, {"minutes", "纪要", "minutes"}, {"moves", "状态变动", "move"},
	{"name", "名称", "name"}, {"names", "名称", "name"}, {"no", "序号", "number"}, {"number", "数量", "number"},
	{"on", "日期", "day"}, {"opinions_to", "专家意见可见于", "opinions are open to"}, {"outcome", "结论", "outcome"},
	{"parties", "缔约方", "party"}, {"party", "一方", "party"}, {"person", "人员", "person"}, {"present", "出席", "present"},
	{"programme", "计划", "programme"}, {"purpose", "用途", "purpose"}, {"quantity", "数额", "quantity"},
	{"result", "成效", "result"}, {"role", "角色", "role"}, {"runs", "期间", "runs"}, {"sample", "自拟样表", "a sample"},
	{"side", "中方或外方", "side"}, {"signatures", "签署", "signature"}, {"source", "来源", "source"},
	{"status", "状态", "status"}, {"summary", "摘要", "summary"}, {"superseded_by", "被取代", "superseded by"},
	{"term", "期限", "term"}, {"text", "内容", "text"}, {"title", "标题", "title"}, {"to", "止", "to"},
	{"unit", "单位", "unit"}, {"valid", "有效期", "valid"}, {"value", "值", "value"}, {"version", "版本", "version"},
	{"withdrawn", "撤回日期", "withdrawn on"},
}

// codes returns the text of a member's code, by member; an empty Text for an unknown
// code.
var codes = map[string]func(string) domain.Text{
	"status":   func(c string) domain.Text { return lab.Status(c).Text() },
	"state":    func(c string) domain.Text { return lab.ItemState(c).Text() },
	"class":    func(c string) domain.Text { return lab.Class(c).Text() },
	"kind":     func(c string) domain.Text { return entity.Kind(c).Text() },
	"outcome":  func(c string) domain.Text { return outcomes[c] },
	"decision": func(c string) domain.Text { return outcomes[c] },
	"level":    func(c string) domain.Text { return levels[c] },
}

var (
	outcomes = map[string]domain.Text{
		string(lab.NotOnShortlist): domain.T("未入围", "not shortlisted"), string(lab.Declined): domain.T("未获立项", "declined"),
		string(lab.Established): domain.T("批准立项", "established"), string(lab.Passed): domain.T("通过", "passed"),
		string(lab.ToRectify): domain.T("限期整改", "to rectify"), string(lab.NotPassed): domain.T("未通过", "not passed"),
		"granted": domain.T("准予", "granted"),
	}
	levels = map[string]domain.Text{
		string(lab.MinistryLevel): domain.T("教育部", "the ministry's"), string(lab.ProvinceLevel): domain.T("省级", "a province's"),
		string(lab.UniversityLevel): domain.T("校级", "a university's"),
	}
)

// roleNames has the names of the roles.
var roleNames = map[domain.Role]domain.Text{
	domain.Ministry: domain.T("教育部", "the ministry"), domain.Agency: domain.T("评审机构", "review agency"),
	domain.Authority: domain.T("主管部门", "supervising authority"), domain.Host: domain.T("依托单位", "host"),
	domain.Partner: domain.T("合作单位", "partner"), domain.Director: domain.T("实验室主任", "director"),
	domain.Expert: domain.T("专家", "expert"), domain.Officer: domain.T("项目官员", "programme officer"), domain.Auditor: domain.T("审计员", "auditor"),
	Anonymous: domain.T("未经身份验证者", "anybody without a token"),
}
