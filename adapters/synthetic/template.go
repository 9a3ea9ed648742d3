package synthetic

import (
	"fmt"
	"strings"
)

// A shape is the JSON of one type of claim in one version of FHIR, written once
// as text with marks in it and compiled into a program that a claim is run
// through: copy a literal, write a value, copy the next literal. The marks are
//
//	$name$                   the value of a field, see fields
//	$if name$ ... $end$      only when the condition holds, see shapeConditions
//	$each name$ ... $next$   once for each element, with commas between, see loops
//
// A program is immutable and shared by all readers.
type program struct {
	ops            []op
	links          linkWords
	words          *fragments
	roles          [prescribing + 1]roleWords
	by             [len(specialties)]string   // what closes a performing member, by specialty
	kinds          [reasonForVisit + 1]string // what closes a diagnosis, by kind
	procedureKinds [2]string                  // of the first procedure and of the others
	firstDiagnosis int
	from2          bool // the care team counts from 2 and leaves out who referred, as BFD's STU3 does
}

type op struct {
	literal string
	act     action
	jump    int32 // where to go on when a condition or a loop says no
}

// linkWords are the names of the members by which a line points elsewhere.
type linkWords struct{ team, diagnosis string }

// roleWords are what stands around a member of the care team.
type roleWords struct{ open, close string }

type action uint8

const (
	_ action = iota // the zero action does nothing

	// Values, in groups that rendering tells apart by their order: who and when.
	actID
	actGroup
	actPatient
	actContract
	actStatus
	actUpdated
	actCreated
	actProcessed
	actReceived
	actStart
	actEnd
	actAdmitted
	actDays

	// Who provided it, and where.
	actFacilityNPI
	actFacilityNumber
	actFacilityName
	actBillingNPI
	actReferringNPI
	actPostal
	actZip
	actLocality
	actCarrier
	actControl
	actOriginal

	// Details of a stay, a test or a drug.
	actDRG
	actAdmission
	actSource
	actDischarge
	actFrequency
	actBlood
	actObservation
	actRefill
	actSupply
	actDrug

	// Amounts of the claim.
	actCharge
	actPaid
	actCoinsurance
	actDeductible
	actNoncovered
	actAllowed

	// The elements of the care team, the diagnoses and the procedures.
	actMember
	actDiagnosis
	actProcedure

	// Of the line that the loop is at.
	actLineNumber
	actLineTeam
	actLineDiagnoses
	actLineService
	actLineRevenue
	actLinePlace
	actLinePayment
	actLineKind
	actLineBetos
	actLineModifier
	actLineStart
	actLineEnd
	actLineQuantity

	// Amounts of that line.
	actLineCharge
	actLineAllowed
	actLinePaid
	actLineCoinsurance
	actLineDeductible
	actLineNoncovered
	actLineRate

	// Conditions.
	ifTimed
	ifReferring
	ifObservation
	ifBlood
	ifLocality
	ifProcedures
	ifLineFirstObserved
	ifLineService
	ifLineUnserviced
	ifLineModifier

	// Loops.
	eachMember
	eachDiagnosis
	eachProcedure
	eachLine
	nextMember
	nextDiagnosis
	nextProcedure
	nextLine
)

var fields = map[string]action{
	"id": actID, "group": actGroup, "patient": actPatient, "status": actStatus, "updated": actUpdated, "created": actCreated,
	"processed": actProcessed, "received": actReceived, "first": actStart, "last": actEnd, "admitted": actAdmitted, "days": actDays,
	"facility.npi": actFacilityNPI, "facility.number": actFacilityNumber, "facility.name": actFacilityName,
	"billing.npi": actBillingNPI, "referring.npi": actReferringNPI, "postal": actPostal, "zip": actZip, "locality": actLocality, "carrier": actCarrier, "control": actControl, "original": actOriginal, "drg": actDRG,
	"admission": actAdmission, "source": actSource, "discharge": actDischarge, "frequency": actFrequency, "blood": actBlood,
	"observation": actObservation, "refill": actRefill, "supply": actSupply, "drug": actDrug, "contract": actContract,
	"charge": actCharge, "paid": actPaid, "coinsurance": actCoinsurance, "deductible": actDeductible, "noncovered": actNoncovered, "allowed": actAllowed,
	"member": actMember, "diagnosis": actDiagnosis, "procedure": actProcedure,
	"line.number": actLineNumber, "line.team": actLineTeam, "line.diagnoses": actLineDiagnoses, "line.service": actLineService,
	"line.revenue": actLineRevenue, "line.place": actLinePlace, "line.payment": actLinePayment, "line.kind": actLineKind, "line.betos": actLineBetos,
	"line.modifier": actLineModifier, "line.start": actLineStart, "line.end": actLineEnd, "line.quantity": actLineQuantity,
	"line.charge": actLineCharge, "line.allowed": actLineAllowed, "line.paid": actLinePaid, "line.coinsurance": actLineCoinsurance,
	"line.deductible": actLineDeductible, "line.noncovered": actLineNoncovered, "line.rate": actLineRate,
}

var shapeConditions = map[string]action{
	"timed":     ifTimed,
	"referring": ifReferring, "observation": ifObservation, "blood": ifBlood, "locality": ifLocality, "procedures": ifProcedures,
	"line.observed": ifLineFirstObserved, "line.service": ifLineService, "line.unserviced": ifLineUnserviced, "line.modifier": ifLineModifier,
}

var loops = map[string][2]action{
	"member": {eachMember, nextMember}, "diagnosis": {eachDiagnosis, nextDiagnosis},
	"procedure": {eachProcedure, nextProcedure}, "line": {eachLine, nextLine},
}

// compile turns a shape into operations. It panics over a mark it does not
// know: shapes are part of this package, not input.
func compile(shape string) []op {
	var ops []op
	var open []int // conditions and loops that are not closed yet
	parts := strings.Split(shape, "$")
	for i := 0; i < len(parts); i += 2 {
		o := op{literal: parts[i]}
		if i+1 < len(parts) {
			word, name, _ := strings.Cut(parts[i+1], " ")
			switch word {
			case "if":
				o.act = known(shapeConditions, name)
				open = append(open, len(ops))
			case "each":
				o.act = known(loops, name)[0]
				open = append(open, len(ops))
			case "end", "next":
				begin := open[len(open)-1]
				open = open[:len(open)-1]
				if word == "next" {
					o.act = ops[begin].act + (nextMember - eachMember)
					o.jump = int32(begin + 1)
				}
				ops[begin].jump = int32(len(ops) + 1)
			default:
				o.act = known(fields, parts[i+1])
			}
		}
		ops = append(ops, o)
	}
	if len(open) > 0 || len(parts)%2 == 0 {
		panic("synthetic: a shape is not closed")
	}
	return ops
}

func known[A any](table map[string]A, name string) A {
	a, ok := table[name]
	if !ok {
		panic(fmt.Sprintf("synthetic: no mark is called %q", name))
	}
	return a
}

// The functions below write the JSON of shapes. A value that is empty is left
// out, with its name; one under a condition takes its comma along, so it may
// not come first.

func text(s string) string { return `"` + s + `"` }

func when(condition, value string) string { return "$if " + condition + "$" + value + "$end$" }

func each(loop, value string) string { return "$each " + loop + "$" + value + "$next$" }

func object(namesAndValues ...string) string {
	var b strings.Builder
	for i := 0; i < len(namesAndValues); i += 2 {
		joinMember(&b, `"`+namesAndValues[i]+`":`, namesAndValues[i+1])
	}
	return "{" + b.String() + "}"
}

func array(values ...string) string {
	var b strings.Builder
	for _, v := range values {
		joinMember(&b, "", v)
	}
	return "[" + b.String() + "]"
}

func joinMember(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	comma := ","
	if b.Len() == 0 {
		comma = ""
	}
	if rest, conditional := strings.CutPrefix(value, "$if "); conditional {
		condition, body, _ := strings.Cut(rest, "$")
		b.WriteString("$if " + condition + "$" + comma + name + body)
		return
	}
	b.WriteString(comma + name + value)
}
