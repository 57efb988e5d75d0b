package eventstore

import (
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
)

// names gives every event type the name it is stored under. A name once
// released is never changed or reused: a new shape gets a new version.
var names = map[string]domain.Event{
	"entity.registered.v1":              entity.Registered{},
	"entity.name-added.v1":              entity.NameAdded{},
	"entity.renamed.v1":                 entity.Renamed{},
	"entity.identifier-asserted.v1":     entity.IdentifierAsserted{},
	"entity.identifier-corroborated.v1": entity.IdentifierCorroborated{},
	"entity.identifier-withdrawn.v1":    entity.IdentifierWithdrawn{},
	"entity.succeeded.v1":               entity.Succeeded{},
	"entity.merged.v1":                  entity.Merged{},
	"entity.closed.v1":                  entity.Closed{},
	"entity.corrected.v1":               entity.Corrected{},

	"lab.record.proposed.v1":                    lab.Proposed{},
	"lab.record.renamed.v1":                     lab.Renamed{},
	"lab.record.corrected.v1":                   lab.Corrected{},
	"lab.record.discipline-set.v1":              lab.DisciplineSet{},
	"lab.record.platform-linked.v1":             lab.PlatformLinked{},
	"lab.record.platform-unlinked.v1":           lab.PlatformUnlinked{},
	"lab.record.partner-named.v1":               lab.PartnerNamed{},
	"lab.record.fact-asserted.v1":               lab.FactAsserted{},
	"lab.record.independence-attested.v1":       lab.IndependenceAttested{},
	"lab.record.plan-adopted.v1":                lab.PlanAdopted{},
	"lab.record.task-assigned.v1":               lab.TaskAssigned{},
	"lab.record.management-body-established.v1": lab.ManagementBodyEstablished{},

	"lab.agreement.drafted.v1":            lab.AgreementDrafted{},
	"lab.agreement.classified.v1":         lab.AgreementClassified{},
	"lab.agreement.signed.v1":             lab.AgreementSigned{},
	"lab.agreement.amendment-proposed.v1": lab.AmendmentProposed{},
	"lab.agreement.amendment-signed.v1":   lab.AmendmentSigned{},
	"lab.agreement.renewed.v1":            lab.AgreementRenewed{},
	"lab.agreement.terminated.v1":         lab.AgreementTerminated{},
	"lab.agreement.superseded.v1":         lab.AgreementSuperseded{},
	"lab.agreement.party-withdrew.v1":     lab.PartyWithdrew{},
	"lab.agreement.party-succeeded.v1":    lab.PartySucceeded{},

	"lab.rights.added.v1":      lab.RightAdded{},
	"lab.rights.amended.v1":    lab.RightAmended{},
	"lab.rights.discharged.v1": lab.RightDischarged{},
	"lab.rights.waived.v1":     lab.RightWaived{},
	"lab.rights.breached.v1":   lab.RightBreached{},
	"lab.rights.cured.v1":      lab.BreachCured{},

	"lab.funding.pledged.v1":   lab.CommitmentPledged{},
	"lab.funding.firmed.v1":    lab.CommitmentFirmed{},
	"lab.funding.amended.v1":   lab.CommitmentAmended{},
	"lab.funding.scheduled.v1": lab.InstalmentsScheduled{},
	"lab.funding.received.v1":  lab.ContributionReceived{},
	"lab.funding.returned.v1":  lab.ContributionReturned{},
	"lab.funding.fulfilled.v1": lab.CommitmentFulfilled{},
	"lab.funding.cancelled.v1": lab.CommitmentCancelled{},

	"lab.status.incubation-started.v1":           lab.IncubationStarted{},
	"lab.status.application-submitted.v1":        lab.ApplicationSubmitted{},
	"lab.status.application-resubmitted.v1":      lab.ApplicationResubmitted{},
	"lab.status.formal-check-passed.v1":          lab.FormalCheckPassed{},
	"lab.status.application-returned.v1":         lab.ApplicationReturned{},
	"lab.status.shortlisted.v1":                  lab.Shortlisted{},
	"lab.status.establishment-declined.v1":       lab.EstablishmentDeclined{},
	"lab.status.incubation-resumed.v1":           lab.IncubationResumed{},
	"lab.status.establishment-approved.v1":       lab.EstablishmentApproved{},
	"lab.status.construction-extended.v1":        lab.ConstructionExtended{},
	"lab.status.acceptance-applied.v1":           lab.AcceptanceApplied{},
	"lab.status.peer-evaluation-commissioned.v1": lab.PeerEvaluationCommissioned{},
	"lab.status.recognised.v1":                   lab.Recognised{},
	"lab.status.rectification-required.v1":       lab.RectificationRequired{},
	"lab.status.acceptance-not-passed.v1":        lab.AcceptanceNotPassed{},
	"lab.status.suspended.v1":                    lab.Suspended{},
	"lab.status.resumed.v1":                      lab.Resumed{},
	"lab.status.revoked.v1":                      lab.Revoked{},
	"lab.status.withdrawn.v1":                    lab.Withdrawn{},
	"lab.status.closed.v1":                       lab.Closed{},
	"lab.status.history-recorded.v1":             lab.HistoryRecorded{},
}
