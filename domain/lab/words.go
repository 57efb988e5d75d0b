package lab

import "github.com/jointlab/jointlab/domain"

// words are the codes of the package in Chinese and English.
var words = map[string]domain.Text{
	string(StatusProposed):       domain.T("筹备登记", "proposed"),
	string(StatusIncubating):     domain.T("培育组建", "incubating"),
	string(StatusRecommended):    domain.T("已推荐申报", "recommended, application submitted"),
	string(StatusReturned):       domain.T("退回补正", "returned for supplement"),
	string(StatusInReview):       domain.T("材料评审", "application review"),
	string(StatusSiteVisit):      domain.T("现场考察论证", "shortlisted, site visit"),
	string(StatusNotEstablished): domain.T("未获立项", "declined"),
	string(StatusConstruction):   domain.T("立项建设", "under construction"),
	string(StatusDue):            domain.T("期满待验收", "construction period over, no application yet"),
	string(StatusAcceptance):     domain.T("申请验收", "acceptance applied for"),
	string(StatusPeerEval):       domain.T("国际同行评估", "peer evaluation"),
	string(StatusRectifying):     domain.T("限期整改", "to rectify by a date"),
	string(StatusNotPassed):      domain.T("验收未通过", "acceptance not passed"),
	string(StatusOperating):      domain.T("认定·开放运行", "recognised, open"),
	string(StatusSuspended):      domain.T("暂停", "suspended"),
	string(StatusWithdrawn):      domain.T("主动退出", "withdrawn"),
	string(StatusRevoked):        domain.T("撤销", "revoked"),
	string(StatusClosed):         domain.T("终止", "closed"),

	string(Draft):           domain.T("草案", "a draft"),
	string(PartiallySigned): domain.T("部分签署", "signed in part"),
	string(InForce):         domain.T("生效", "in force"),
	string(Expired):         domain.T("已到期", "expired"),
	string(Terminated):      domain.T("已终止", "terminated"),
	string(Superseded):      domain.T("已被取代", "superseded"),

	string(Substantive): domain.T("实质性协议", "substantive"),
	string(Framework):   domain.T("框架协议", "a framework"),
	string(MoU):         domain.T("谅解备忘录", "a memorandum of understanding"),

	string(Responsibility): domain.T("责", "responsibility"),
	string(Right):          domain.T("权", "right"),
	string(Interest):       domain.T("利", "interest"),

	string(Open):       domain.T("待履行", "open"),
	string(Discharged): domain.T("已履行", "discharged"),
	string(Waived):     domain.T("已豁免", "waived"),
	string(Breached):   domain.T("已违反", "breached"),

	string(Pledged):            domain.T("已承诺", "pledged"),
	string(Firm):               domain.T("已落实", "firm"),
	string(PartiallyDelivered): domain.T("部分到位", "delivered in part"),
	string(Fulfilled):          domain.T("全部到位", "fulfilled"),
	string(Shortfall):          domain.T("到期未足额", "short of what was due"),
	string(Cancelled):          domain.T("已取消", "cancelled"),
}

// Text returns the status in Chinese and English.
func (s Status) Text() domain.Text { return words[string(s)] }

// Text returns the status in Chinese and English.
func (s AgreementStatus) Text() domain.Text { return words[string(s)] }

// Text returns the class in Chinese and English.
func (c Class) Text() domain.Text { return words[string(c)] }

// Text returns the kind in Chinese and English: 责, 权 or 利.
func (k ItemKind) Text() domain.Text { return words[string(k)] }

// Text returns the state in Chinese and English.
func (s ItemState) Text() domain.Text { return words[string(s)] }

// Text returns the status in Chinese and English.
func (s CommitmentStatus) Text() domain.Text { return words[string(s)] }
