//! Every shape of a result, as servers send it.

use super::*;

#[tokio::test]
async fn server_everything_is_told_alike_over_http_and_as_a_program() {
    let peer = McpPeer::everything().await.unwrap();
    for tools in [at(&peer), everything_program()] {
        let found = tools.examine("peer", &ada()).await.unwrap().unwrap();
        assert_eq!(found.server.unwrap().0, "mcp-servers/everything");
        assert!(found.has_handshake);
        assert_eq!(found.protocol, "2025-11-25");
        assert!(
            found.left_out.is_empty() && found.tools.len() >= 13,
            "{:?}",
            found.tools
        );
        let names: Vec<String> = tools
            .list(&ada())
            .await
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        assert_eq!(names.len(), found.tools.len());

        assert_eq!(
            said(&tools, "echo", r#"{"message":"héllo"}"#).await,
            "Echo: héllo"
        );
        assert_eq!(
            said(&tools, "get-sum", r#"{"a":2,"b":3}"#).await,
            "The sum of 2 and 3 is 5."
        );
        let image = run(&tools, "get-tiny-image", "{}").await;
        let lines: Vec<&str> = image.output.lines().collect();
        assert_eq!(
            lines,
            [
                "Here's the image you requested:",
                "[an image (image/png, 4033 bytes), shown to you with this result]",
                "The image above is the MCP logo."
            ]
        );
        let [file] = &image.files[..] else {
            panic!("{image:?}")
        };
        assert_eq!((file.media_type.as_str(), file.len()), ("image/png", 4033));
        // The same as text and as data is told once.
        let weather = said(
            &tools,
            "get-structured-content",
            r#"{"location":"Chicago"}"#,
        )
        .await;
        assert!(
            weather.starts_with('{') && !weather.contains('\n'),
            "{weather}"
        );
        // An annotated text, and an image beside it.
        let arguments = r#"{"messageType":"success","includeImage":true}"#;
        let noted = run(&tools, "get-annotated-message", arguments).await;
        assert_eq!(
            noted.output,
            "Operation completed successfully\n[an image (image/png, 4033 bytes), shown to you with this result]"
        );
        let links = said(&tools, "get-resource-links", r#"{"count":2}"#).await;
        assert_eq!(links.matches("[a link to \"").count(), 2, "{links}");
        assert!(
            links.contains("demo://resource/dynamic/text/2 (text/plain)"),
            "{links}"
        );
        let text = r#"{"resourceType":"Text","resourceId":7}"#;
        let text = said(&tools, "get-resource-reference", text).await;
        assert!(
            text.contains("[the text of demo://resource/dynamic/text/7 (text/plain):]\nResource 7"),
            "{text}"
        );
        let blob = r#"{"resourceType":"Blob","resourceId":8}"#;
        let blob = said(&tools, "get-resource-reference", blob).await;
        // Bytes whose type says that they are text.
        assert!(
            blob.contains("[the text of demo://resource/dynamic/blob/8 (text/plain"),
            "{blob}"
        );
        let zipped = run(
            &tools,
            "gzip-file-as-resource",
            r#"{"name":"a.gz","data":"data:text/plain,hello","outputType":"resource"}"#,
        )
        .await;
        assert!(!zipped.is_error && zipped.files.is_empty(), "{zipped:?}");
        assert!(
            zipped
                .output
                .contains("(application/gzip, 25 bytes), which you cannot read]"),
            "{}",
            zipped.output
        );
        let long = run(
            &tools,
            "trigger-long-running-operation",
            r#"{"duration":1,"steps":4}"#,
        )
        .await;
        assert_eq!(long.progress, ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]);
        assert!(long.output.contains("completed"), "{}", long.output);
        let wrong = run(&tools, "get-sum", r#"{"a":"two"}"#).await;
        assert!(
            wrong.is_error && wrong.output.contains("Invalid arguments"),
            "{wrong:?}"
        );
        tools.close().await;
    }
}

#[tokio::test]
async fn fastmcp_is_told_alike_with_sessions_without_and_as_a_program() {
    let stateful = McpPeer::fast("stateful").await.unwrap();
    let stateless = McpPeer::fast("stateless").await.unwrap();
    for tools in [at(&stateful), at(&stateless), fast_program(&[PATH])] {
        let found = tools.examine("peer", &ada()).await.unwrap().unwrap();
        assert_eq!(
            found.server.unwrap(),
            ("fast".to_owned(), "1.2.3".to_owned())
        );
        for (name, arguments, told) in [
            ("add", r#"{"a":2,"b":3}"#, "5"),
            ("point", "{}", r#"{"x":3,"label":"here"}"#),
            ("words", "{}", r#"["one","two"]"#),
            (
                "nothing",
                "{}",
                "The tool has done its work and answered nothing.",
            ),
            ("steps", "{}", "done"),
            (
                "picture",
                "{}",
                "[an image (image/png, 24 bytes), shown to you with this result]",
            ),
            (
                "sound",
                "{}",
                "[a sound (audio/wav, 32 bytes), played to you with this result]",
            ),
            (
                "bill",
                "{}",
                "[the file file:///bill.pdf (application/pdf, 15 bytes), shown to you with this result]",
            ),
        ] {
            assert_eq!(said(&tools, name, arguments).await, told, "{name}");
        }
        for (name, media_type) in [
            ("picture", "image/png"),
            ("sound", "audio/wav"),
            ("bill", "application/pdf"),
        ] {
            let files = run(&tools, name, "{}").await.files;
            assert_eq!(files.len(), 1, "{name}");
            assert_eq!(files[0].media_type, media_type);
        }
        let failed = run(&tools, "fail", "{}").await;
        assert!(
            failed.is_error && failed.output.contains("no such task"),
            "{failed:?}"
        );
        let wrong = run(&tools, "add", r#"{"a":"x"}"#).await;
        assert!(wrong.is_error, "{wrong:?}");
        tools.close().await;
    }
}

#[tokio::test]
async fn a_server_without_a_handshake_is_spoken_to_in_its_way() {
    let peer = McpPeer::modern().await.unwrap();
    let tools = at(&peer);
    let found = tools.examine("peer", &ada()).await.unwrap().unwrap();
    assert_eq!(
        (found.protocol.as_str(), found.has_handshake),
        ("2026-07-28", false)
    );
    assert_eq!(found.server.unwrap().0, "modern");
    assert_eq!(said(&tools, "add", r#"{"a":2,"b":3}"#).await, "5");
    let steps = run(&tools, "steps", "{}").await;
    assert_eq!(
        (steps.progress, &*steps.output),
        (vec!["step 1".to_owned(), "step 2".to_owned()], "done")
    );
    let failed = run(&tools, "fail", "{}").await;
    assert!(
        failed.is_error && failed.output == "no such task",
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_transport_of_old_is_called_that() {
    let peer = McpPeer::everything_of_old().await.unwrap();
    let problem = at(&peer)
        .examine("peer", &ada())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(problem.kind, upstream::mcp::FailureKind::OldTransport);
    assert!(
        problem.words.contains("old HTTP+SSE transport"),
        "{}",
        problem.words
    );
}
