"""What single sentences say of the disease course: said, suspected, earlier, or nothing."""

from __future__ import annotations

import pytest

from mappings.reading.course_text import CourseStatement, read_course

ACTIVE = {"relapse", "progression", "refractory", "new-episode"}


def short(statement: CourseStatement) -> str:
    """Kind, then what departs from a plain current statement about this disease."""
    parts = [statement.kind]
    if statement.certainty != "stated":
        parts.append(statement.certainty)
    if statement.time != "current":
        parts.append(statement.time)
    if statement.about != "this-disease":
        parts.append(statement.about)
    return " ".join(parts)


def kinds(text: str) -> set[str]:
    """All statements of a text in short form."""
    return {short(s) for s in read_course(text).statements}


STATED = [
    ("Relapsed DLBCL", "relapse"),
    ("Recurrent diffuse large B-cell lymphoma.", "relapse"),
    ("DLBCL, relapsed", "relapse"),
    ("Diffuse large B-cell lymphoma, relapsed, non-GCB.", "relapse"),
    ("FINAL DIAGNOSIS: RELAPSED LARGE B-CELL LYMPHOMA", "relapse"),
    ("Final Diagnosis\nBreast, left, core biopsy: Recurrent diffuse large B-cell lymphoma.", "relapse"),
    ("Diagnosis: Relapsed large B-cell lymphoma.", "relapse"),
    ("LYMPH NODE BX: DLBCL, RELAPSED. TUMOR CELLS NEG FOR CD19", "relapse"),
    ("Relapsed B-ALL: CD10+, CD22+, CD19 negative.", "relapse"),
    ("Relapsed DLBCL (biopsy of 2 May): CD20, CD79a expressed.", "relapse"),
    ("Review diagnosis: recurrent large B-cell lymphoma.", "relapse"),
    ("Findings consistent with relapse of lymphoma.", "relapse"),
    ("Findings in keeping with relapsed B-lymphoblastic leukemia.", "relapse"),
    ("Impression: Progression of lymphoma.", "progression"),
    ("Impression: Disease progression.", "progression"),
    ("IMPRESSION: Progressive disease (Lugano).", "progression"),
    ("PET/CT day +90: progressive metabolic disease.", "progression"),
    ("Impression: New FDG-avid lesions in liver and spleen.", "progression"),
    ("Multiple new lesions compared with the prior study.", "progression"),
    ("No B symptoms, progression on PET.", "progression"),
    ("Response: PD", "progression"),
    ("PET: PD per Lugano.", "progression"),
    ("The patient relapsed 4 months after axi-cel.", "relapse"),
    ("Unfortunately she has relapsed after CAR T-cell therapy.", "relapse"),
    ("Lymphoma progressed after CAR-T.", "progression"),
    ("Disease has progressed through CAR T therapy.", "progression"),
    ("History of DLBCL, now relapsed after liso-cel.", "relapse"),
    ("Clinical: progression after CAR T.", "progression"),
    ("Biopsy-proven relapse in the left axilla.", "relapse"),
    ("Relapse confirmed by biopsy.", "relapse"),
    ("DLBCL in relapse.", "relapse"),
    ("Primary refractory disease to axi-cel: no response at day 30.", "refractory"),
    ("Interval progression of the retroperitoneal lymphadenopathy.", "progression"),
    ("Patient with DLBCL relapsing after CAR T.", "relapse"),
    ("Beurteilung: Rezidiv des DLBCL.", "relapse"),
    ("Histologisch gesichertes Rezidiv.", "relapse"),
    ("Krankheitsprogress nach CAR-T-Zelltherapie.", "progression"),
    ("PET-CT: neue Läsionen in der Leber.", "progression"),
    ("Befund passend zu einem Lymphomrezidiv.", "relapse"),
    ("Progrediente Erkrankung.", "progression"),
    ("Rückfall der Leukämie.", "relapse"),
    ("Rueckfall der Leukaemie.", "relapse"),
    ("Conclusion : rechute du lymphome.", "relapse"),
    ("Rechute prouvée histologiquement.", "relapse"),
    ("Progression de la maladie après CAR-T.", "progression"),
    ("Apparition de nouvelles lésions hypermétaboliques.", "progression"),
    ("Patient en rechute après cellules CAR-T.", "relapse"),
    ("Conclusioni: recidiva di linfoma.", "relapse"),
    ("Progressione di malattia dopo CAR-T.", "progression"),
    ("Comparsa di nuove lesioni.", "progression"),
    ("Ripresa di malattia confermata.", "relapse"),
    ("Recaída del linfoma tras CAR-T.", "relapse"),
    ("Conclusión: progresión de la enfermedad.", "progression"),
    ("Aparición de nuevas lesiones.", "progression"),
]

SUSPECTED = [
    ("Suspicious for relapse.", "relapse suspected"),
    ("Findings concerning for disease progression.", "progression suspected"),
    ("Relapse cannot be excluded.", "relapse suspected"),
    ("Cannot exclude recurrence of lymphoma.", "relapse suspected"),
    ("Possible relapse.", "relapse suspected"),
    ("Likely progression of lymphoma.", "progression suspected"),
    ("Probable relapsed DLBCL.", "relapse suspected"),
    ("Relapse is suspected.", "relapse suspected"),
    ("Findings are suggestive of recurrence.", "relapse suspected"),
    ("May represent relapse.", "relapse suspected"),
    ("Suspicious for relapse or progression.", "progression suspected"),
    ("V.a. Rezidiv", "relapse suspected"),
    ("Verdacht auf Lymphomrezidiv.", "relapse suspected"),
    ("Ein Rezidiv ist nicht ausgeschlossen.", "relapse suspected"),
    ("Rezidiv möglich.", "relapse suspected"),
    ("Suspicion de rechute.", "relapse suspected"),
    ("Aspect évocateur de récidive.", "relapse suspected"),
    ("Une rechute ne peut être exclue.", "relapse suspected"),
    ("Sospetto di recidiva", "relapse suspected"),
    ("Quadro suggestivo di progressione di malattia.", "progression suspected"),
    ("Sospetta recidiva.", "relapse suspected"),
    ("Sospecha de recaída.", "relapse suspected"),
    ("Hallazgos sugestivos de progresión.", "progression suspected"),
    ("No se puede descartar recidiva.", "relapse suspected"),
]

SILENT = [  # neither a relapse now nor a suspicion
    "No evidence of relapse.",
    "No relapse.",
    "No progression.",
    "No evidence of disease progression.",
    "Without progression since day 30.",
    "No new lesions.",
    "No new FDG-avid lesions.",
    "No evidence of relapse, disease progression, or transformation.",
    "No evidence of\nrelapse.",
    "NO EVIDENCE OF\nRELAPSE",
    "Rule out progression.",
    "R/O relapse",
    "r/o: relapse",
    "Indication: suspected relapse.",
    "Reason for exam: relapse of DLBCL?",
    "Relapse?",
    "? relapse",
    "If relapse is suspected, biopsy with CD19, CD20 and CD22 stains.",
    "Plan: if relapse is suspected, biopsy with CD19, CD20 and CD22 stains.",
    "In case of progression consider a trial.",
    "Monitor for relapse.",
    "Discussed risk of relapse.",
    "High risk of progression.",
    "Will continue until progression.",
    "Suggest CD19 and CD20 stains on relapse biopsy.",
    "MRD follow-up, marrow, relapse protocol",
    "Progression-free survival was 5 months.",
    "Relapse-free.",
    "Non-relapse mortality is low.",
    "Biopsy at relapse is advised.",
    "Relapse: no",
    "Relapse\tNo",
    "Progression (yes/no)",
    "Relapse: not known",
    "[ ] relapse [x] remission",
    "☐ Progression ☒ Stable disease",
    "Relapse was excluded.",
    "Relapse has been ruled out.",
    "Relapse is unlikely.",
    "Unlikely to represent relapse.",
    "Not consistent with relapse.",
    "Not suspicious for progression.",
    "Never relapsed.",
    "History of relapsed DLBCL.",
    "Clinical history: relapsed DLBCL.",
    "Clinical history: DLBCL, relapsed in 2021.",
    "She relapsed in 2021 before CAR T.",
    "62M with relapsed/refractory DLBCL s/p axi-cel, here for day 30 PET.",
    "R/R DLBCL s/p liso-cel.",
    "Patient with relapsed DLBCL treated with axi-cel.",
    "Known relapsed DLBCL.",
    "Axi-cel for relapsed DLBCL.",
    "CAR T for relapse of DLBCL.",
    "Relapsed after R-CHOP and ASCT.",
    "Progressed on R-CHOP, then received axi-cel.",
    "Refractory to R-DHAP.",
    "Prior relapse.",
    "Mother had lymphoma relapse.",
    "Family history: sister with relapsed lymphoma.",
    "Donor relapsed.",
    "Progression of breast cancer.",
    "Prostate cancer progressed on abiraterone.",
    "Recurrent melanoma.",
    "Multiple myeloma in relapse.",
    "Relapse of depression.",
    "Recurrent infections.",
    "Recurrent CMV viremia.",
    "Relapse of CMV infection.",
    "Recurrent pleural effusion.",
    "Progressive dyspnea.",
    "Progression of renal failure.",
    "Refractory CRS treated with tocilizumab.",
    "Platelet refractory.",
    "Recurrent fever.",
    "Progression of pneumonia.",
    "Alcohol relapse.",
    "Patient progressed well with physiotherapy.",
    "He progressed to a regular diet.",
    "PD-L1 80 %.",
    "PD-1 positive.",
    "Response criteria: progressive disease: new lesions or growth.",
    "Legend: 5 = uptake markedly above liver and/or new lesions.",
    "Deauville: 1 = none, 2 = below mediastinum, 3 = below liver, 4 = above, 5 = well above or new lesions",
    "Kein Rezidiv.",
    "Kein Anhalt für ein Rezidiv.",
    "Kein Anhalt für\nRezidiv.",
    "Rezidiv ausgeschlossen.",
    "Zum Ausschluss eines Rezidivs.",
    "Bei Progress Biopsie empfohlen.",
    "Z.n. Rezidiv 2021.",
    "Keine neuen Läsionen.",
    "Mammakarzinom, Progress.",
    "Rezidivierende Infekte.",
    "Rezidivfreies Überleben.",
    "Pas de rechute.",
    "Pas d'argument pour une rechute.",
    "Absence de progression.",
    "Pas de nouvelle lésion.",
    "En cas de rechute, biopsie.",
    "Antécédent de rechute.",
    "Éliminer une rechute.",
    "Nessuna evidenza di recidiva.",
    "Non evidenza di progressione.",
    "In caso di recidiva, biopsia.",
    "Rischio di recidiva.",
    "Pregressa recidiva.",
    "Da escludere recidiva.",
    "Sin evidencia de recaída.",
    "No hay progresión.",
    "En caso de recaída, biopsia.",
    "Descartar recaída.",
    "Recaída previa en 2020.",
    "Progresión de cáncer de mama.",
    "Patient worried about relapse.",
    "Indicated for relapsed or refractory large B-cell lymphoma.",
    "Patients who relapse after CAR T have a poor prognosis.",
    "Relapse after CAR T occurs in half of patients.",
    "Relapse (excluded)",
    "Molecular relapse.",
    "Relapse suspected on PET was not confirmed on biopsy.",
    "Does the patient have relapse? No.",
    "Patientin mit rezidiviertem/refraktärem DLBCL, CAR-T 2024",
    "LDGCB en rechute/réfractaire traité par axi-cel",
    "Paziente con linfoma recidivato/refrattario trattato con axi-cel",
    "LBDCG en recaída/refractario tratado con axi-cel",
    "Nephrotic relapse.",
    "Donor cell leukemia relapse.",
    # languages that are not read
    "Sem evidência de recidiva.",
    "Geen aanwijzingen voor progressie of recidief.",
    "Inga tecken till recidiv.",
    "Fără recidivă.",
    # response and doubt
    "Complete metabolic response.",
    "Partial response.",
    "Deauville 3.",
    "Deauville 4, decreasing SUV.",
    "Deauville 4.",
    "Pseudoprogression favored.",
    "Uptake likely inflammatory, progression is not favored.",
    "Relapse versus inflammation.",
    "Differential includes relapse and infection.",
]

OTHERS = [
    ("Complete metabolic response.", "response"),
    ("PET/CT: CMR, Deauville 2.", "response"),
    ("In complete remission at day 90.", "response"),
    ("Remains in remission.", "remission"),
    ("Partial metabolic response.", "partial-response"),
    ("Best response: PR", "partial-response prior"),
    ("Stable disease.", "stable"),
    ("Komplette Remission.", "response"),
    ("Partielle Remission.", "partial-response"),
    ("Rémission complète.", "response"),
    ("Réponse métabolique partielle.", "partial-response"),
    ("Remissione completa.", "response"),
    ("Malattia stabile.", "stable"),
    ("Respuesta metabólica completa.", "response"),
    ("Enfermedad estable.", "stable"),
    ("Pseudoprogression favored.", "undetermined"),
    ("Relapse versus inflammation.", "undetermined"),
    ("Second relapse.", "new-episode"),
    ("Now in second relapse after CAR T.", "new-episode"),
    ("Zweites Rezidiv.", "new-episode"),
    ("Nouvelle rechute.", "new-episode"),
    ("Seconda recidiva.", "new-episode"),
    ("Segunda recaída.", "new-episode"),
    ("CNS involvement by lymphoma.", "cns"),
    ("Isolated CNS relapse.", "isolated-cns"),
    ("Isolated CNS relapse.", "relapse"),
    ("Isoliertes ZNS-Rezidiv.", "isolated-cns"),
    ("Atteinte neuroméningée.", "cns"),
    ("Histologic transformation.", "transformation"),
    ("Transformation to diffuse large B-cell lymphoma.", "transformation"),
    ("Lineage switch to AML.", "lineage-switch"),
    ("Possible lineage switch.", "lineage-switch suspected"),
    ("Cambio de linaje.", "lineage-switch"),
    ("CAR-positive T-cell lymphoma.", "t-cell-malignancy"),
    ("Disseminated relapse.", "disseminated"),
    ("Disseminated relapse.", "relapse"),
    ("Localised relapse in the groin.", "localised"),
    ("Mother had lymphoma relapse.", "relapse family"),
    ("Progression of breast cancer.", "progression other-cancer"),
    ("History of relapsed DLBCL.", "relapse prior"),
    ("She relapsed in 2021 before CAR T.", "relapse prior"),
    ("PET: Deauville 5", "relapse suspected"),
    ("Deauville score: 5.", "relapse suspected"),
    ("Deauville 5/5", "relapse suspected"),
    ("Deauville V", "relapse suspected"),
    ("Deauville score 4 with increasing SUV.", "relapse suspected"),
    ("Deauville 4, enlarging nodes", "relapse suspected"),
    ("Deauville 4, decreasing SUV.", "undetermined"),
    ("Deauville 4.", "undetermined"),
    ("Deauville 4-5.", "undetermined"),
    ("Deauville score of 3, previously 5.", "undetermined"),
    ("Deauville previously 5, now 3.", "undetermined"),
    ("PET (D5) after CAR T", "relapse suspected"),
    ("Deauville-Score 5.", "relapse suspected"),
    ("Score de Deauville à 5.", "relapse suspected"),
    ("Score di Deauville: 4 con aumento di captazione.", "relapse suspected"),
    ("Deauville de 4 con disminución.", "undetermined"),
]

ABSENT = [
    "No evidence of lymphoma.",
    "No evidence of disease.",
    "No evidence of residual or recurrent lymphoma.",
    "Negative for lymphoma.",
    "Negative for malignancy.",
    "No morphologic evidence of lymphoma.",
    "No residual lymphoma.",
    "No evidence of residual disease.",
    "No evidence of lymphoma in this biopsy.",
    "Marrow not involved by lymphoma.",
    "Kein Anhalt für Lymphom.",
    "Keine Lymphominfiltrate nachweisbar, kein Anhalt für Malignität.",
    "Pas d'argument pour une localisation lymphomateuse.",
    "Absence d'infiltration lymphomateuse.",
    "Nessuna evidenza di linfoma.",
    "Sin evidencia de linfoma.",
    "No se observa infiltración por linfoma.",
]

NOT_ABSENT = [
    "No evidence of disease progression.",
    "No progression.",
    "No evidence of CNS lymphoma.",
    "No evidence of CNS disease.",
    "No evidence of lymphoma in the neck.",
    "No evidence of disease below the diaphragm.",
    "No evidence of transformation.",
    "No evidence of large cell transformation.",
    "No definite evidence of lymphoma.",
    "No convincing evidence of lymphoma.",
    "No evidence of lymphoma, however the sample is limited.",
    "Insufficient; negative for lymphoma.",
    "History: no evidence of disease in 2023.",
    "No evidence of infection.",
    "No evidence of breast cancer.",
    "No evidence of myeloma.",
    "Rule out: no evidence of lymphoma?",
    "Previously no evidence of disease.",
    "If no evidence of disease, discharge.",
    "No history of lymphoma.",
    "No evidence of new lesions.",
    "Sem evidência de linfoma.",
    "No evidence of disease other than the axillary mass.",
    "No evidence of bulky disease.",
]


@pytest.mark.parametrize(("text", "expected"), STATED)
def test_a_plain_statement_is_stated_and_current(text: str, expected: str) -> None:
    assert expected in kinds(text)


@pytest.mark.parametrize(("text", "expected"), SUSPECTED)
def test_a_hedged_statement_is_a_suspicion_and_no_more(text: str, expected: str) -> None:
    found = kinds(text)
    assert expected in found
    assert not found & ACTIVE


@pytest.mark.parametrize("text", SILENT)
def test_no_relapse_is_read_where_none_is_said(text: str) -> None:
    active = {s.kind for s in read_course(text).current() if s.kind in ACTIVE}
    assert not active


@pytest.mark.parametrize(("text", "expected"), OTHERS)
def test_other_statements(text: str, expected: str) -> None:
    assert expected in kinds(text)


@pytest.mark.parametrize("text", ABSENT)
def test_a_strong_denial_of_disease_is_no_malignancy(text: str) -> None:
    assert kinds(text) == {"no-malignancy"}


@pytest.mark.parametrize("text", NOT_ABSENT)
def test_a_narrower_or_weaker_denial_is_not_no_malignancy(text: str) -> None:
    assert "no-malignancy" not in kinds(text)


UNSAID_ANSWERS = [
    "Relapse could not be confirmed.",
    "Relapse refuted by biopsy.",
    "Relapse - No",
    "Recurrent disease: not identified",
    "Recurrent disease - none",
    "New lesions: 0",
    "Roommate relapsed.",
    "Degenerative changes progressing.",
    "Relapse excluded by biopsy.",
]


@pytest.mark.parametrize("text", UNSAID_ANSWERS)
def test_answered_refuted_or_foreign_relapse_is_none_of_this_disease(text: str) -> None:
    assert not any(s.kind in ACTIVE and s.about == "this-disease" for s in read_course(text).statements)


UNMET = [
    "Goal: complete remission.",
    "Remission lost.",
    "Out of remission.",
    "Remission duration 5 months.",
    "End of remission.",
    "Less than complete response.",
    "No longer in remission.",
    "No relapse, progression or remission.",
]


@pytest.mark.parametrize("text", UNMET)
def test_a_response_hoped_for_lost_or_denied_is_no_response(text: str) -> None:
    assert not kinds(text) & {"response", "remission", "partial-response"}


def test_a_denial_of_blasts_ends_at_the_comma() -> None:
    assert {"response", "no-malignancy"} <= kinds("Bone marrow: no blasts, complete remission.")


def test_a_relapse_feared_in_findings_is_suspected() -> None:
    assert "relapse suspected" in kinds("Findings concerning for recurrent lymphoma.")


def test_a_dash_before_more_words_is_no_answer() -> None:
    assert "relapse" in kinds("Relapse - no change in therapy, start R-GemOx")
