package synthetic

import (
	"slices"

	"cms.gov/ab2d/domain"
)

// peopleUpdated is when the records of people and of their coverage were last
// updated: with the last ordinary load.
const peopleUpdated = "2026-08-29T04:00:00.000+00:00"

const (
	mbiSystem    = "http://hl7.org/fhir/sid/us-mbi"
	currencyList = bluebutton + "codesystem/identifier-currency"
)

// AppendPatient appends an enrollee as the Patient that BFD serves when it is
// asked for identifiers: the internal id and every MBI, marked current or
// historic, where the version of FHIR has the mark, and sex, birth, death and
// address. There is no name. A person without a current MBI has only historic
// ones, or none. The line has no newline at its end.
func (p *Population) AppendPatient(b []byte, v domain.FHIRVersion, e Enrollee) []byte {
	identifiers := []string{beneID(v, e.Patient)}
	if e.Identifiers.Current != "" {
		identifiers = append(identifiers, mbiIdentifier(v, e.Identifiers.Current, code{"current", "Current"}))
	}
	for _, mbi := range e.Identifiers.Historic {
		identifiers = append(identifiers, mbiIdentifier(v, mbi, code{"historic", "Historic"}))
	}
	return append(b, resource(v, "Patient", string(e.Patient), "C4BB-Patient",
		append([]string{"identifier", array(identifiers...)}, p.demographics(e.Patient)...)...)...)
}

// demographics are the members that tell who a person is, and none for an id
// that is nobody's.
func (p *Population) demographics(id domain.PatientID) []string {
	who, ok := p.Person(id)
	if !ok {
		return nil
	}
	gender := "male"
	if who.Female {
		gender = "female"
	}
	members := []string{"gender", text(gender), "birthDate", text(who.Born.String()),
		"address", array(object("state", text(who.State), "postalCode", text(who.ZIP)))}
	if !who.Died.IsZero() {
		members = append(members, "deceasedDateTime", text(who.Died.String()))
	}
	return members
}

// resource writes what all resources begin with, and the members given.
func resource(v domain.FHIRVersion, kind, id, profile string, namesAndValues ...string) string {
	meta := []string{"lastUpdated", text(peopleUpdated)}
	if v == domain.R4 {
		meta = append(meta, "profile", array(text("http://hl7.org/fhir/us/carin-bb/StructureDefinition/"+profile)))
	}
	return object(slices.Concat([]string{"resourceType", text(kind), "id", text(id), "meta", object(meta...)}, namesAndValues)...)
}

func beneID(v domain.FHIRVersion, id domain.PatientID) string {
	var kind string
	if v == domain.R4 {
		kind = concept(coding(hl7Codes+"v2-0203", "MB", "Member Number"))
	}
	return object("type", kind, "system", text(variable("bene_id")), "value", text(string(id)))
}

// mbiIdentifier: STU3 has the currency on the identifier, R4 on the coding of
// its type.
func mbiIdentifier(v domain.FHIRVersion, mbi domain.MBI, currency code) string {
	mark := array(object("url", text(currencyList), "valueCoding", coding(currencyList, currency.code, currency.text)))
	if v == domain.STU3 {
		return object("extension", mark, "system", text(mbiSystem), "value", text(string(mbi)))
	}
	medicare := object("extension", mark, "system", text(hl7Codes+"v2-0203"), "code", text("MC"), "display", text("Patient's Medicare number"))
	return object("type", concept(medicare), "system", text(mbiSystem), "value", text(string(mbi)))
}
