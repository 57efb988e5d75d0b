package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// Relation is the relation that a caller must have to the record of an operation.
type Relation string

// The relations. A host or director acts for the legal entity in the token.
const (
	Any Relation = "any" // nothing in particular
	// Own: the lab's host, the legal entity itself or the one that a key acts for, or
	// the caller that registered the webhook.
	Own Relation = "own"
	// Party: a party to an agreement of the lab, or one that is to accede to it. It
	// acts for itself, on agreements that name it; see lab.PartyMay.
	Party Relation = "party"
)

var relationWords = map[Relation]domain.Text{
	Any: domain.T("任何记录", "any record"),
	Own: domain.T("自己的：所代表的法人是该实验室的依托单位、该法人本身或服务密钥所代表的法人，或推送端点由自己登记", "their own: a lab whose host they act for, the legal entity they act for, a key that acts for it, a webhook they registered"),
	Party: domain.T("所代表的法人是该实验室协议的一方且未退出，或拟加入协议；只能以自己的名义，就所参加的协议和自己的承诺办理，未涉及协议的事项须有已生效的协议",
		"a lab to which the legal entity they act for is a party that has not left, or is to accede: "+
			"for itself, on agreements it is in and its own pledges, and on the rest once an agreement binds it"),
}

// Text returns the relation in both languages.
func (r Relation) Text() domain.Text { return relationWords[r] }

// Anonymous is the role of a request without a token. Its rows have effect only
// with Config.AnonymousRead.
const Anonymous domain.Role = "anonymous"

// everybody lists the roles that may read public data. lab.Secrecy defines which
// events and parts of a lab are public.
var everybody = append(slices.Clone(domain.Roles), Anonymous)

// access lists the roles of each operation outside the table of commands: queries,
// with their files, and corrections. The relation follows from the role, see
// relationOf.
var access = []struct {
	roles      []domain.Role
	operations string
}{
	{users, `webhook-test put-document put-document-as`},
	// a correction needs the roles of the command it restates besides, or officer;
	// MayRewrite has the other conditions of a correction or a void
	{users, `lab-correct entity-correct programme-correct lab-void entity-void programme-void`},

	// Queries.
	{[]domain.Role{domain.Ministry, domain.Officer, domain.Auditor}, `get-person find-person`},
	{everybody, `
		list-labs get-lab lab-agreements lab-agreement lab-rights lab-commitments lab-reviews lab-readiness lab-impact
		lab-decision lab-watches lab-matrix lab-funding-structure lab-history lab-diff
		list-agreements list-rights list-commitments list-watches
		list-entities get-entity entity-history list-programmes get-programme programme-history
		list-events get-event stream-status-events get-snapshot get-delta
		list-clauses list-access list-event-access report-labs-by-status
		report-funding report-funding-shares report-decisions report-notices
		get-document list-documents audit-checkpoint audit-key audit-proof audit-consistency`},
	{domain.Roles, `list-webhooks get-webhook webhook-deliveries webhook-parked list-keys get-key`},
	{[]domain.Role{domain.Ministry, domain.Agency, domain.Officer, domain.Auditor}, `audit-pack`},
	{[]domain.Role{domain.Ministry, domain.Officer, domain.Auditor}, `backup`},
}

// keepers keep the register: they may call on any webhook and key, too.
var keepers = []domain.Role{domain.Ministry, domain.Officer}

// relationOf returns the relation that a role needs to a record of the aggregate
// kind to call operation.
func relationOf(role domain.Role, aggregate, operation string) Relation {
	switch {
	case operation == "entity-register": // it has no owner yet
		return Any
	case aggregate == "webhook" && !slices.Contains(keepers, role) &&
		(role != domain.Auditor || operation == "webhook-test"):
		return Own
	case aggregate == "key" && !slices.Contains(keepers, role) && role != domain.Auditor:
		return Own
	case aggregate == "lab" && role == domain.Partner:
		return Party
	case (aggregate == "lab" || aggregate == "entity") &&
		(role == domain.Host || role == domain.Director || role == domain.Partner):
		return Own
	}
	return Any
}

var rolesByOperation = func() map[string][]domain.Role {
	m := map[string][]domain.Role{}
	for _, c := range commands {
		m[c.ID()] = c.Roles
	}
	for _, row := range access {
		for _, operation := range strings.Fields(row.operations) {
			m[operation] = row.roles
		}
	}
	return m
}()

// accessKey returns the id of an operation in the table: that of the command, or
// of the query whose result a file holds.
func accessKey(operation string) string {
	for _, form := range []string{"-new", "-csv", "-ndjson", "-xlsx"} {
		operation = strings.TrimSuffix(operation, form)
	}
	return operation
}

// aggregateOf returns the kind of record of an operation. Of queries only those on
// webhooks and keys have one, since only they have an owner.
func aggregateOf(op *huma.Operation) string {
	switch kind, _, _ := strings.Cut(accessKey(op.OperationID), "-"); {
	case strings.HasPrefix(op.Path, "/v1/webhooks"):
		return "webhook"
	case strings.HasPrefix(op.Path, "/v1/keys"):
		return "key"
	case op.Method == http.MethodGet || eventstore.Plural(kind) == "":
		return ""
	default:
		return kind
	}
}

// documentAccess adds the roles and relations of an operation to its description.
func documentAccess(op *huma.Operation) {
	roles := rolesByOperation[accessKey(op.OperationID)]
	if roles == nil {
		panic("api: " + op.OperationID + " has no row in the table of access")
	}
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata["roles"] = roles
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
		if relation := relationOf(r, aggregateOf(op), accessKey(op.OperationID)); relation != Any {
			words[i] += " (" + string(relation) + ")"
		}
	}
	op.Description += "\n\n可执行的角色 / Allowed to: " + strings.Join(words, ", ") + "."
}

// accessRow is one role's part in one operation.
type accessRow struct {
	Operation    string      `json:"operation"`
	Method       string      `json:"method"`
	Path         string      `json:"path"`
	Summary      string      `json:"summary"`
	Role         domain.Role `json:"role" doc:"anonymous: without a token, where the server lets queries pass so"`
	RoleText     domain.Text `json:"role_text"`
	Relation     Relation    `json:"relation" enum:"any,own,party" doc:"What they must be to the record"`
	RelationText domain.Text `json:"relation_text"`
	Act          lab.Act     `json:"act,omitempty" enum:"any-party,itself,debtor,creditor" doc:"Whose act it is, of a command on agreements, rights and funding; the role may send it for that party alone"`
	ActText      domain.Text `json:"act_text,omitzero"`
}

func (s *Server) registerAccess() {
	table(s, report("list-event-access", "/v1/access/events", "每类事件的保密类别，以及谁、在何时可以读取；实验室登记内容中相应的部分同此。", "How confidential each type of event is, and who reads it when; what a lab's record holds of it likewise"), s.listEventAccess)
	table(s, report("list-access", "/v1/access", "谁可以做什么：每个命令和查询，哪些角色、对哪些记录可以执行。查询中尚未公开的内容另按事件类别筛除。", "Who may do what: each command and query, by role and relation to the record"), s.listAccess)
}

func (s *Server) listAccess(context.Context, *struct{}) (rows []accessRow, err error) {
	paths := s.api.OpenAPI().Paths
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, op := range operationsOf(paths[path]) {
			kind, name, _ := strings.Cut(accessKey(op.OperationID), "-")
			for _, role := range op.Metadata["roles"].([]domain.Role) {
				relation := relationOf(role, aggregateOf(op), accessKey(op.OperationID))
				row := accessRow{
					Operation: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary,
					Role: role, RoleText: roleNames[role], Relation: relation, RelationText: relation.Text(),
				}
				if c, ok := findCommand(kind, name); ok && op.Method == http.MethodPost && relation != Any {
					row.Act, row.ActText = c.act, c.act.Text()
				}
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// eventAccess lists the readers of one event type.
type eventAccess struct {
	Type       string         `json:"type"`
	Facet      string         `json:"facet"`
	Class      lab.Confidence `json:"class" doc:"public, draft, submission, finding, opinion or expert; keepers: not about the programme; restated: as what a correction restates"`
	ClassText  domain.Text    `json:"class_text"`
	ReadBy     domain.Text    `json:"read_by"`
	Documents  lab.Confidence `json:"documents" doc:"The class of the documents that it names"`
	DocumentBy domain.Text    `json:"documents_read_by"`
}

func (s *Server) listEventAccess(context.Context, *struct{}) (rows []eventAccess, err error) {
	types := eventstore.Types()
	for _, name := range slices.Sorted(maps.Keys(types)) {
		row := eventAccess{Type: name, Facet: eventstore.Facet(name)}
		_, rewrites := domain.AsRewrite(types[name])
		switch e, of := types[name].(lab.Event); {
		case of && rewrites:
			row.Class, row.Documents = "restated", "restated"
			row.ClassText = domain.T("同所更正的事件", "as the event that is corrected")
			row.ReadBy = row.ClassText
			row.DocumentBy = row.ClassText
		case of:
			row.Class, row.Documents = lab.ConfidenceOf(e)
			row.ClassText, row.ReadBy, row.DocumentBy = row.Class.Text(), row.Class.ReadBy(), row.Documents.ReadBy()
		case projections.IsPublic(name):
			row.Class, row.Documents = lab.Public, lab.Public
			row.ClassText, row.ReadBy, row.DocumentBy = lab.Public.Text(), lab.Public.ReadBy(), lab.Public.ReadBy()
		default:
			row.Class, row.Documents = "keepers", "keepers"
			row.ClassText = domain.T("登记簿管理", "the keeping of the register")
			row.ReadBy = domain.T("教育部、项目官员、审计员；推送端点的登记者、服务密钥所代表的法人亦可读其自己的", "ministry, officer, auditor; of a webhook also whoever registered it, of a key also the legal entity it acts for")
			row.DocumentBy = row.ReadBy
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// operationsOf returns the operations of a path.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put},
		func(op *huma.Operation) bool { return op == nil })
}

// authorizeRole returns a problem unless the table gives the operation to the
// caller's role, or to anonymous where there is no token.
func (s *Server) authorizeRole(op *huma.Operation, claims Claims) *Problem {
	roles := op.Metadata["roles"].([]domain.Role)
	switch {
	case claims != (Claims{}):
		if !slices.Contains(roles, claims.Role) {
			return forbidden(claims.Role, roles)
		}
	case !s.cfg.AnonymousRead || !slices.Contains(roles, Anonymous):
		return newProblem("unauthenticated", "请提供令牌：Authorization: Bearer <令牌>", "send a token as Authorization: Bearer <token>").
			with("WWW-Authenticate", `Bearer realm="jointlab"`)
	}
	return nil
}

func forbidden(role domain.Role, allowed []domain.Role) *Problem {
	return newProblem("forbidden", "角色 %s 不能执行此操作；请由以下角色之一办理：%s", "the role %s may not do this; have it done by one of: %s", role, join(allowed))
}

// authorizeOn returns an error unless the caller has the relation to the lab.
func authorizeOn(l *lab.Lab, c Claims, relation Relation, cmd any) error {
	may := relation == Any || actsFor(l, c)
	if _, voids := cmd.(voiding); voids {
		// authorizeRewrite checks each entry
	} else if act, ok := cmd.(lab.PartyCommand); relation == Party {
		may = may && ok && l.PartyMay(c.Entity, act)
	} else if ok && relation == Own && may && !l.IsAct(c.Entity, act) {
		return notTheirAct(act.Reach().Act)
	}
	if !may {
		return forbiddenRelation(c.Role, relation)
	}
	return nil
}

// notTheirAct refuses the host what is another party's act.
func notTheirAct(act lab.Act) *Problem {
	return newProblem("forbidden", "您不能代表其他法人办理；此事应由以下一方办理：%s，或由项目官员据文件登记",
		"you cannot act for another legal entity; this is the act of %s, or an officer enters it from the document",
		act.Text())
}

func forbiddenRelation(role domain.Role, relation Relation) *Problem {
	return newProblem("forbidden", "角色 %s 只能对以下记录这样做：%s；请换用相应的令牌，或由项目官员办理",
		"the role %s may do this only to: %s; use a token for it, or have an officer do it", role, relation.Text())
}

// authorizeRewrite returns the check of who may correct or void an entry, given the
// state the correction is decided on. For a programme the command's roles suffice.
func authorizeRewrite(c Claims, aggregate string, because domain.Grounds) func(any, domain.Meta, domain.Event,
	domain.Rewrite) error {
	actor := c.actor()
	switch aggregate {
	case "lab":
		return func(state any, recorded domain.Meta, was domain.Event, by domain.Rewrite) error {
			return state.(*lab.Lab).MayRewrite(actor, because, recorded, was.(lab.Event), by)
		}
	case "entity":
		return func(_ any, recorded domain.Meta, _ domain.Event, _ domain.Rewrite) error {
			return entity.MayRewrite(actor, recorded)
		}
	}
	return func(_ any, recorded domain.Meta, _ domain.Event, by domain.Rewrite) error {
		if by.Void && actor.Role != domain.Officer && actor.Role != recorded.Actor.Role {
			return forbidden(actor.Role, []domain.Role{recorded.Actor.Role, domain.Officer})
		}
		return nil
	}
}

// actsFor reports whether the caller acts for the lab's host or, as a partner, for a
// party to one of its agreements.
func actsFor(l *lab.Lab, c Claims) bool {
	return c.Entity != uuid.Nil && (c.Entity == l.Host.ID || c.Role == domain.Partner && l.HasParty(c.Entity))
}
