//! What is asked again and again is found by an index, however much else there is.

use super::toy::connect;
use engine::testkit::looks_at_leases;
use harness::{Backend, TestDatabase, on_both};
use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

on_both!(a_look_at_the_leases_reads_leases_alone);

async fn a_look_at_the_leases_reads_leases_alone(db: TestDatabase) {
    let open = connect(&db).await;
    let parameters: [Value; 2] = [12_000_000_i64.into(), Uuid::nil().into()];
    for (sql, parameter) in looks_at_leases(open.backend()).into_iter().zip(parameters) {
        let (explain, column) = match db.backend {
            Backend::Postgres => ("explain", 0),
            Backend::Sqlite => ("explain query plan", 3),
        };
        let ask = Statement::from_sql_and_values(open.backend(), format!("{explain} {sql}"), [parameter]);
        let rows = open.write().query_all_raw(ask).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get_by_index(column).unwrap()).collect();
        assert!(plan.iter().any(|line| line.contains("workflow_work_leased")), "{}", plan.join("\n"));
        let whole = ["Seq Scan on workflow_work", "SCAN workflow_work USING PRIMARY"];
        assert!(!plan.iter().any(|line| whole.iter().any(|whole| line.contains(whole))), "{}", plan.join("\n"));
    }
}
