package lab

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// MayRewrite reports why an actor may not correct or void an entry of the lab,
// which is as it is now. was is the event as it reads, and by what is done to it;
// of a correction that is not decided yet it has no event.
//
// An entry is restated by the legal entity it was recorded for, or by an officer.
// What an agreement provides is fixed by its first signature: from then on only an
// officer restates it, by the digest of the document. Frozen packages, decisions
// and construction periods are restated only in the role that made them.
func (l *Lab) MayRewrite(a domain.Actor, because domain.Grounds, recorded domain.Meta, was Event, by domain.Rewrite) error {
	made := recorded.Actor
	own := made.OnBehalfOf == a.OnBehalfOf && (a.OnBehalfOf != uuid.Nil || made.Role == a.Role)
	switch {
	case reserved(was, made):
		if !own || made.Role != a.Role {
			return domain.Reject(domain.Forbidden, "固化的申报材料、审批决定和建设期只能由作出该登记的角色（%s）更正或作废", "a frozen package, a decision and a construction period are restated only by who made them; have the %s do it", made.Role)
		}
		return nil
	case a.Role != domain.Officer && !own:
		return domain.Reject(domain.Forbidden, "您只能更正或作废以本单位名义登记的内容；请由登记者或项目官员更正",
			"you may correct or void only what was recorded for your own legal entity; have whoever recorded it or an officer do it")
	}
	if by.Event == nil {
		return nil
	}
	agreement := l.fixedBy(was, by)
	switch {
	case agreement == "":
	case a.Role != domain.Officer:
		return domain.Reject(domain.Forbidden, "协议 %s 已有签署，其内容不能由一方更正或作废；请提出由各方签署的修正案，或由项目官员凭文件摘要（basis.digest）更正",
			"agreement %s has been signed, and no party alone corrects or voids what it provides; propose an amendment for all to sign, or have an officer correct the entry by the document's digest (basis.digest)", agreement)
	case because.Basis.Digest == "":
		return &domain.Rejection{Kind: domain.Invalid, Detail: domain.T("请填写所依据的文件", "give the document it rests on"), Fields: []domain.FieldError{{
			Path:    "basis.digest",
			Message: domain.Textf("协议 %s 已有签署；更正或作废其内容须填写所依据文件的摘要", "agreement %s has been signed; give the digest of the document that shows what it provides", agreement),
		}}}
	}
	return nil
}

// reserved reports whether an event is restated only in the role that made it.
func reserved(e Event, made domain.Actor) bool {
	switch e.(type) {
	case PackageFrozen, EstablishmentApproved, ConstructionExtended:
		return true
	}
	_, step := e.(interface{ transition() Transition })
	return step && (made.Role == domain.Ministry || made.Role == domain.Agency)
}

// fixedBy returns the agreement whose signatures fix what an event states; empty
// where nobody has signed, or where a correction changes nothing that is signed.
func (l *Lab) fixedBy(was Event, by domain.Rewrite) string {
	id, amendment := "", 0
	switch e := was.(type) {
	case AgreementDrafted:
		if w, ok := by.Event.(AgreementDrafted); ok && !by.Void {
			if w.provides(e) {
				return "" // the title alone, which is the register's own name for it
			}
		}
		id = e.Agreement
	case AgreementClassified:
		id = e.Agreement
	case AmendmentProposed:
		id, amendment = e.Agreement, e.Amendment.No
	case RightAdded:
		id = e.Agreement
	case RightAmended:
		if it := l.item(e.Item); it != nil {
			id, amendment = it.Agreement, e.Amendment
		}
	case CommitmentPledged:
		id = e.Agreement
	case CommitmentAmended:
		if f := l.commitment(e.Commitment); f != nil {
			id, amendment = f.Agreement, e.Amendment
		}
	case InstalmentsScheduled:
		if f := l.commitment(e.Commitment); f != nil {
			id = f.Agreement
		}
	}
	a := l.agreement(id)
	if a == nil {
		return ""
	}
	signatures := a.Signatures
	if m := a.amendment(amendment); m != nil {
		signatures = m.Signatures
	}
	if len(signatures) == 0 {
		return ""
	}
	return id
}

// provides reports whether two drafts provide the same, whatever they are called.
func (e AgreementDrafted) provides(w AgreementDrafted) bool {
	return e.Class == w.Class && e.Term == w.Term && e.GoverningLaw == w.GoverningLaw &&
		slices.Equal(e.Languages, w.Languages) && slices.Equal(e.Documents, w.Documents) &&
		slices.EqualFunc(e.Parties, w.Parties, func(p, q Party) bool {
			return p.Entity.ID == q.Entity.ID && p.Role == q.Role && p.Unit == q.Unit
		})
}
