package entstore

import (
	"context"
	"fmt"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/attestationevent"
)

// attestations implements ports.Attestations.
type attestations struct{ unit }

func (s attestations) Append(ctx context.Context, e domain.AttestationEvent) error {
	return s.adding(ctx, fmt.Sprintf("attestation event %s", e.ID), func() error {
		return s.AttestationEvent.Create().SetEventID(e.ID).SetContract(e.Contract).SetKind(e.Kind).
			SetAttestorName(e.Attestor.Name).SetAttestorOffice(e.Attestor.Office).
			SetEffective(e.Effective).SetDataStart(e.DataStart).SetRecorded(kept(e.Recorded)).SetSource(e.Source).SetActor(e.Actor).
			SetReason(e.Reason).SetCorrects(e.Corrects).SetCorrectedKind(e.CorrectedKind).Exec(ctx)
	})
}

func (s attestations) Of(ctx context.Context, n domain.ContractNumber) ([]domain.AttestationEvent, error) {
	rows, err := s.AttestationEvent.Query().Where(attestationevent.Contract(n)).
		Order(ent.Asc(attestationevent.FieldRecorded, attestationevent.FieldID)).All(ctx)
	return all(rows, eventFromRow), err
}

func (s attestations) All(ctx context.Context) (map[domain.ContractNumber][]domain.AttestationEvent, error) {
	rows, err := s.AttestationEvent.Query().Order(ent.Asc(attestationevent.FieldRecorded, attestationevent.FieldID)).All(ctx)
	found := map[domain.ContractNumber][]domain.AttestationEvent{}
	for _, r := range rows {
		found[r.Contract] = append(found[r.Contract], eventFromRow(r))
	}
	return found, err
}
