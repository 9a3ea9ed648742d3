package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"cms.gov/ab2d/adapters/claimtables"
)

// The tables of an export are held against its NDJSON, which is read here in
// another way: as JSON without a shape. Both versions, whole files.
func TestTheTablesAgreeWithTheClaims(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0", "--partition-members", "40")
	for path, version := range map[string]string{"/api/v1/fhir": "STU3", "/api/v2/fhir": "R4"} {
		t.Run(version, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			cmd := exec.CommandContext(patience(t), program, "export", "--url", s.base+path, "--contract", "S0000", "--out", dir, "--format", "parquet", "--keep-ndjson")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
			if err != nil || len(files) < 2 {
				t.Fatalf("%v, %v", files, err)
			}
			for _, f := range files {
				agree(t, f, version)
			}
		})
	}
}

type fhir = map[string]any

// at walks into JSON: names of members, and "*" for all elements of a list.
func at(v any, path ...string) (all []any) {
	if len(path) == 0 {
		return []any{v}
	}
	if path[0] == "*" {
		list, _ := v.([]any)
		for _, e := range list {
			all = append(all, at(e, path[1:]...)...)
		}
		return all
	}
	if m, _ := v.(fhir); m[path[0]] != nil {
		return at(m[path[0]], path[1:]...)
	}
	return nil
}

// one returns the text of the one value there, or nothing.
func one(v any, path ...string) string {
	for _, x := range at(v, path...) {
		s, _ := x.(string)
		return s
	}
	return ""
}

func agree(t *testing.T, ndjson, version string) {
	t.Helper()
	base := strings.TrimSuffix(ndjson, ".ndjson")
	claims, err := parquet.ReadFile[claimtables.Claim](base + ".claims.parquet")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := parquet.ReadFile[claimtables.Line](base + ".lines.parquet")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(ndjson)
	if err != nil {
		t.Fatal(err)
	}
	service, links := "service", "diagnosisLinkId"
	if version == "R4" {
		service, links = "productOrService", "diagnosisSequence"
	}
	var n, k int
	sums := map[string][2]float64{} // as the NDJSON and as the tables have it
	add := func(what string, json, table float64) {
		s := sums[what]
		sums[what] = [2]float64{s[0] + json, s[1] + table}
	}
	differs := func(what, id string, json, table any) {
		if json != table {
			t.Errorf("%s of %s is %v in the NDJSON and %v in the table", what, id, json, table)
		}
	}
	for raw := range bytes.Lines(text) {
		var c fhir
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if n >= len(claims) {
			t.Fatalf("the table has %d claims and the NDJSON more", len(claims))
		}
		row, id := claims[n], one(c, "id")
		n++
		differs("the id", id, id, row.ClaimID)
		differs("the version", id, version, row.FHIRVersion)
		differs("the status", id, one(c, "status"), textOf(row.Status))
		differs("the patient", id, strings.TrimPrefix(one(c, "patient", "reference"), "Patient/"), textOf(row.PatientID))
		differs("the type", id, strings.ToUpper(id[:strings.IndexByte(id, '-')]), textOf(row.ClaimType))
		differs("the start", id, one(c, "billablePeriod", "start"), civil(row.ServiceFrom))
		differs("the end", id, one(c, "billablePeriod", "end"), civil(row.ServiceThrough))
		if at := one(c, "meta", "lastUpdated"); at == "" {
			differs("that nobody knows the update", id, true, row.LastUpdated == nil)
		} else if updated, err := time.Parse(time.RFC3339, at); err != nil || row.LastUpdated == nil || !updated.Equal(*row.LastUpdated) {
			t.Errorf("%s was updated %s, %v in the table; %v", id, at, row.LastUpdated, err)
		}
		mbis := 0
		for _, e := range at(c, "extension", "*", "valueIdentifier", "value") {
			if e == textOf(row.MBI) || slices.Contains(row.MBIHistoric, e.(string)) {
				mbis++
			}
		}
		differs("the number of MBIs", id, len(at(c, "extension", "*", "valueIdentifier")), mbis)
		differs("the number of diagnoses", id, len(at(c, "diagnosis", "*", "diagnosisCodeableConcept")), len(row.Diagnoses))
		differs("the number of procedures", id, len(at(c, "procedure", "*")), len(row.Procedures))
		differs("the number of lines", id, len(at(c, "item", "*")), int(row.Lines))
		for _, drg := range slices.Concat(at(c, "diagnosis", "*", "packageCode", "coding", "*", "code"), at(c, "supportingInfo", "*", "code", "coding", "*", "code")) {
			differs("the DRG", id, drg, textOf(row.DRG))
			add("DRGs", 1, 1)
		}
		if textOf(row.ProviderNPI) != "" {
			add("providers", 0, 1)
		}
		if strings.Contains(string(raw), `"provider":{`) {
			add("providers", map[bool]float64{true: 1, false: 0}[version == "R4" || len(at(c, "organization")) > 0 || len(at(c, "provider", "identifier")) > 0], 0)
		}
		for _, i := range at(c, "item", "*") {
			if k >= len(lines) {
				t.Fatalf("the table has %d lines and the NDJSON more", len(lines))
			}
			l := lines[k]
			k++
			where := id + " line " + strconv.Itoa(int(l.Line))
			differs("the claim", where, id, l.ClaimID)
			differs("the line", where, at(i, "sequence")[0], float64(l.Line))
			differs("the service", where, one(i, service, "coding", "*", "code"), textOf(l.ServiceCode))
			differs("the place", where, one(i, "locationCodeableConcept", "coding", "*", "code"), textOf(l.PlaceOfService))
			differs("the number of diagnoses", where, len(at(i, links, "*")), len(l.Diagnoses))
			day := one(i, "servicedDate")
			if day == "" {
				day = one(i, "servicedPeriod", "start")
			}
			differs("the day", where, day, civil(l.ServiceFrom))
			for _, q := range at(i, "quantity", "value") {
				add("quantity", q.(float64), 0)
			}
			if l.Quantity != nil {
				add("quantity", 0, *l.Quantity)
			}
			for _, zip := range at(i, "locationCodeableConcept", "extension", "*") {
				if strings.HasSuffix(one(zip, "url"), "/prvdr_zip") {
					z, _ := strconv.ParseFloat(one(zip, "valueCoding", "code"), 64)
					add("zip", z, 0)
				}
			}
			if z, err := strconv.ParseFloat(textOf(l.ZIP), 64); err == nil {
				add("zip", 0, z)
			}
			if textOf(l.State) != "" {
				add("states", 0, 1)
			}
			if len(at(i, "locationAddress", "state")) > 0 || strings.Contains(string(raw), "prvdr_state_cd") {
				add("states", 1, 0)
			}
			if textOf(l.ProviderNPI) != "" {
				add("line providers", 0, 1)
			}
			if len(at(i, "careTeamLinkId"))+len(at(i, "careTeamSequence")) > 0 {
				add("line providers", 1, 0)
			}
		}
		if t.Failed() {
			t.Fatalf("the first claim that differs: %s", raw)
		}
	}
	if n != len(claims) || k != len(lines) || n == 0 || k == 0 {
		t.Errorf("%d claims and %d lines in the NDJSON, %d and %d in the tables", n, k, len(claims), len(lines))
	}
	for what, s := range sums {
		if s[0] != s[1] || s[0] == 0 {
			t.Errorf("%s add up to %v in the NDJSON and to %v in the tables", what, s[0], s[1])
		}
	}
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func civil(days *int32) string {
	if days == nil {
		return ""
	}
	return time.Unix(int64(*days)*24*60*60, 0).UTC().Format(time.DateOnly)
}
